"""CSV files: what is read, and the sentence for everything that is not a table of numbers."""

from pathlib import Path

import numpy as np
import pytest

from mlpflow.table import TableError, read_table

GOOD = "a,b,y\n1,2,3\n4,5e-1,-6\n"


def write(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace(",", ", "),
        GOOD.replace("\n", "\r\n"),
        "\n" + GOOD + "\n\n",
        '"a","b","y"\n"1","2","3"\n4,0.5,-6',
        "\ufeff" + GOOD,
    ],
    ids=["comma", "semicolon", "tab", "spaces", "crlf", "empty lines", "quotes", "byte-order mark"],
)
def test_reads_the_usual_dialects(tmp_path, text):
    table = read_table(write(tmp_path, text))
    assert table.columns == ("a", "b", "y")
    np.testing.assert_array_equal(table.values, [[1, 2, 3], [4, 0.5, -6]])


def test_split_keeps_the_order_of_the_columns(tmp_path):
    x, y, names = read_table(write(tmp_path, GOOD)).split("b")
    assert names == ("a", "y")
    np.testing.assert_array_equal(x, [[1, 3], [4, -6]])
    np.testing.assert_array_equal(y, [[2], [0.5]])


def test_columns_that_are_not_chosen_may_hold_text(tmp_path):
    table = read_table(write(tmp_path, "name,a,y\nbob,1,2\neve,3,4\n"), columns=["a", "y"])
    np.testing.assert_array_equal(table.values, [[1, 2], [3, 4]])


BAD = {
    "empty": (b"", "expected a header row and rows of numbers, got an empty file"),
    "blank": (b" \n\n", "got an empty file"),
    "header only": (b"a,y\n", "expected rows of numbers below the header, got none"),
    "no header": (b"1,2\n3,4\n", "expected column names in the first row, got only numbers"),
    "nameless column": (b"a,,y\n1,2,3\n", "column 2 has no name"),
    "duplicate column": (b"a,a,y\n1,2,3\n", "two columns named 'a'"),
    "text": (b"a,y\n1,2\nred,3\n", r"row 2 \(line 3\), column 'a': .* got the text 'red'"),
    "missing cell": (b"a,y\n1,\n", r"row 1 \(line 2\), column 'y': .* got an empty cell"),
    "nan": (b"a,y\n1,nan\n", r"column 'y': expected a finite number, got nan"),
    "infinity": (b"a,y\n-inf,1\n", r"column 'a': expected a finite number, got -inf"),
    "underscore": (b"a,y\n1_000,1\n", "got the text '1_000'"),
    "short row": (b"a,b,y\n1,2,3\n\n4,5\n", r"row 2 \(line 4\): expected 3 cells .* got 2"),
    "long row": (b"a,y\n1,2,3\n", r"row 1 \(line 2\): expected 2 cells .* got 3"),
    "latin-1": (b"a,y\n\xe4,1\n", "expected text in UTF-8"),
    "binary": (b"a,y\n\x00,1\n", "table.csv"),
    "open quote": (b'a,y\n"1,2\n', "not a CSV file"),
}


@pytest.mark.parametrize("text, message", BAD.values(), ids=BAD.keys())
def test_says_what_is_wrong_and_where(tmp_path, text, message):
    with pytest.raises(TableError, match=message) as error:
        read_table(write(tmp_path, text))
    assert "\n" not in str(error.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(TableError, match="no such file"):
        read_table(tmp_path / "nowhere.csv")
    with pytest.raises(TableError, match="got a folder"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    "name, hint", [("Mass", 'did you mean "mass"'), ("zzz", "its columns are mass, age")]
)
def test_unknown_column(tmp_path, name, hint):
    with pytest.raises(TableError, match=f"no column '{name}'[;] {hint}"):
        read_table(write(tmp_path, "mass,age\n1,2\n"), columns=[name])


def test_target_alone_is_not_enough(tmp_path):
    with pytest.raises(TableError, match="at least one column besides the target 'y'"):
        read_table(write(tmp_path, "y\n1\n2\n")).split("y")


def test_shipped_penguins():
    table = read_table(Path(__file__).parents[2] / "examples/data/penguins.csv")
    assert table.values.shape == (333, 5)
    assert table.columns[-1] == "body_mass_g"
    assert set(table.values[:, 3]) == {0.0, 1.0}
