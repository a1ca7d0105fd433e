"""Tables of numbers from CSV files, with errors that name the row and the column."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ._hints import did_you_mean

__all__ = ["Table", "TableError", "read_table"]

DELIMITERS = ",;\t"


class TableError(ValueError):
    """A table cannot be used; the message says why and where."""


@dataclass(frozen=True)
class Table:
    """Named columns of numbers.

    Parameters
    ----------
    path : Path
        Where the table was read from.
    columns : tuple of str
        The C column names.
    values : array of float, shape (N, C)
        One row a sample.
    """

    path: Path
    columns: tuple[str, ...]
    values: NDArray[np.float64]

    def split(
        self, target: str, inputs: Sequence[str] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[str, ...]]:
        """Inputs, targets and the names of the inputs.

        Parameters
        ----------
        target : str
            The column to predict.
        inputs : sequence of str, optional
            The columns to predict it from; all others by default.

        Returns
        -------
        inputs : array, shape (N, Din)
        targets : array, shape (N, 1)
        names : tuple of str
        """
        names = tuple(inputs) if inputs else tuple(name for name in self.columns if name != target)
        if not names:
            raise TableError(
                f"{self.path}: expected at least one column besides the target {target!r}, got none"
            )
        return self._columns(names), self._columns((target,)), names

    def _columns(self, names: Sequence[str]) -> NDArray[np.float64]:
        return self.values[:, [self.columns.index(name) for name in names]]


def read_table(
    path: str | Path, columns: Sequence[str] | None = None, *, require: Sequence[str] = ()
) -> Table:
    """Read a CSV file with a header row and numeric cells.

    Columns are separated by comma, semicolon or tab, whichever the header has most of. Empty lines
    are passed over. Rows are counted from 1, below the header.

    Parameters
    ----------
    path : str or Path
        The file, in UTF-8.
    columns : sequence of str, optional
        The columns to read, the others may then hold anything; all by default.
    require : sequence of str
        Columns that must be there, looked for before any cell is read.

    Returns
    -------
    Table

    Raises
    ------
    TableError
        With one sentence on what was expected and what was found, and where.

    Examples
    --------
    >>> from mlpflow.table import read_table
    >>> read_table("examples/data/penguins.csv", columns=["male", "body_mass_g"]).values[0]
    array([1.00e+00, 3.75e+03])
    """
    path = Path(path)
    header, records = _read_records(path)
    _check_header(path, header)
    chosen = tuple(columns) if columns is not None else tuple(header)
    _check_names(path, header, [*require, *chosen])
    if not records:
        raise TableError(f"{path}: expected rows of numbers below the header, got none")
    places = [header.index(name) for name in chosen]
    values = np.empty((len(records), len(chosen)))
    for row, (line, record) in enumerate(records):
        where = f"{path}: row {row + 1} (line {line})"
        if len(record) != len(header):
            raise TableError(
                f"{where}: expected {len(header)} cells as in the header, got {len(record)}"
            )
        for place, column in enumerate(places):
            values[row, place] = _number(record[column], f"{where}, column {header[column]!r}")
    return Table(path, chosen, values)


def _read_records(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and the rows with their line numbers."""
    try:
        # Excel puts a byte-order mark in front; utf-8-sig takes it away and reads plain UTF-8 too.
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
            delimiter = max(DELIMITERS, key=first.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
            records = [
                (reader.line_num, record) for record in reader if any(map(str.strip, record))
            ]
    except FileNotFoundError:
        raise TableError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise TableError(f"{path}: expected a CSV file, got a folder") from None
    except OSError as error:
        raise TableError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise TableError(f"{path}: expected text in UTF-8, got other bytes") from None
    except csv.Error as error:
        raise TableError(f"{path}: not a CSV file: {error}") from None
    if not records:
        raise TableError(f"{path}: expected a header row and rows of numbers, got an empty file")
    return [name.strip() for name in records[0][1]], records[1:]


def _check_header(path: Path, header: list[str]) -> None:
    if all(_is_number(name) for name in header):
        raise TableError(f"{path}: expected column names in the first row, got only numbers")
    for place, name in enumerate(header):
        if not name:
            raise TableError(f"{path}: column {place + 1} has no name in the header")
        if name in header[:place]:
            raise TableError(
                f"{path}: the header has two columns named {name!r}; rename one of them"
            )


def _check_names(path: Path, header: list[str], names: Sequence[str]) -> None:
    for name in names:
        if name in header:
            continue
        hint = did_you_mean(name, header) or f"; its columns are {', '.join(header)}"
        raise TableError(f"{path}: no column {name!r}{hint}")


def _number(cell: str, where: str) -> float:
    # Python also reads 1_000 as a number, which no table means.
    if not _is_number(cell) or "_" in cell:
        text = cell.strip()
        got = f"the text {text!r}" if text else "an empty cell"
        raise TableError(f"{where}: expected a number, got {got}")
    number = float(cell)
    if not math.isfinite(number):
        raise TableError(f"{where}: expected a finite number, got {cell.strip()}")
    return number


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
