"""Messages there and back, without Julia."""

import os

import numpy as np
import pytest

from mlpflow.engine.wire import Exchange, Wire, _read_header, frame


def there_and_back(value, wire=None):
    wire = wire or Wire()
    return wire.unpack(wire.pack({"v": value}))["v"]


@pytest.mark.parametrize("value", [None, True, 3, -(2**40), 1.5, float("inf"), "äöü", [1, "a"]])
def test_plain_values(value):
    assert there_and_back(value) == value


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "i4", "i2", "i1", "u8", "u1", "?", "c16"])
@pytest.mark.parametrize("shape", [(0,), (1,), (7,), (2, 3), (3, 0), (2, 3, 4), ()])
def test_arrays_keep_type_shape_and_bits(dtype, shape, rng):
    array = np.asarray(100 * rng.standard_normal(shape)).astype(dtype)
    back = there_and_back(array)
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    assert np.array_equal(back, array)
    assert back.flags.writeable
    assert back.flags.aligned


def test_the_wire_carries_the_julia_shape():
    extension = Wire()._pack_array(np.zeros((3, 2)))
    assert list(extension.data[2:18]) == [2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0]
    assert _read_header(extension.data)[1] == (3, 2)


def test_views_and_numpy_scalars(rng):
    array = rng.standard_normal((4, 6))
    assert np.array_equal(there_and_back(array.T[::2]), array.T[::2])
    assert there_and_back(np.float64(1.5)) == 1.5
    assert there_and_back(np.int64(3)) == 3


def test_what_cannot_travel_is_named_and_leaves_the_wire_usable():
    wire = Wire()
    with pytest.raises(TypeError, match="expected plain data for the engine, got a object"):
        wire.pack({"v": [1, 2, object()]})
    with pytest.raises(TypeError, match="got object"):
        wire.pack({"v": np.array([None])})
    assert there_and_back(1, wire) == 1


def test_a_frame_has_its_length_before_it():
    assert frame(b"abc") == b"\x03\0\0\0\0\0\0\0abc"


def test_large_arrays_go_through_the_exchange(rng):
    exchange = Exchange(threshold=1000)
    exchange.inbox, exchange.outbox = exchange.outbox, exchange.outbox
    wire = Wire(exchange)
    values = [rng.standard_normal((50, 40)), rng.standard_normal(300), np.ones(2)]
    packed = wire.pack({"v": values})
    assert len(packed) < 200
    back = wire.unpack(packed)["v"]
    assert all(np.array_equal(a, b) for a, b in zip(values, back, strict=True))
    exchange.clear()
    again = wire.pack({"v": values})
    assert again == packed  # from the beginning of the file
    os.ftruncate(exchange.inbox, 0)
    with pytest.raises(ValueError, match="expected 16000 bytes"):
        wire.unpack(packed)
