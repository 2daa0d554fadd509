"""Protocol-buffer messages, read field by field: a handful of numbers needs neither the schema nor its package."""

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
Value = int | bytes


class WireError(ValueError):
    """The bytes are not a message."""


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Yield (field number, value) in the order written: varints as unsigned int, all else as bytes.

    Source: Protocol Buffers, "Encoding". Raises WireError where the bytes are not a message.

    >>> list(fields(b"\\x08\\x96\\x01\\x12\\x02hi"))
    [(1, 150), (2, b'hi')]
    """
    at, end = 0, len(data)
    while at < end:
        # Nearly all keys and sizes are one byte; a call for each would double the time of a large file.
        key, at = (data[at], at + 1) if data[at] < 128 else _varint(data, at)
        kind = key & 7
        if kind == VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == BYTES:
            size, at = (data[at], at + 1) if at < end and data[at] < 128 else _varint(data, at)
        elif kind == FIXED32:
            size = 4
        elif kind == FIXED64:
            size = 8
        else:
            raise WireError(f"wire type {kind}")
        if at + size > end:
            raise WireError("cut off")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, seven bits a byte, the lowest first; and where it ends."""
    value = 0
    for count, byte in enumerate(data[at : at + 10]):
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at + count + 1
    raise WireError("a number that is cut off or longer than ten bytes")


def message(value: Value) -> bytes:
    """The bytes of an inner message, text or packed list; WireError where the field holds a number."""
    if isinstance(value, int):
        raise WireError("a number where a message belongs")
    return value


def text(value: Value) -> str:
    """A string field."""
    return message(value).decode("utf-8", errors="replace")


def signed(value: Value) -> int:
    """An int64 field: negative numbers are written as their two's complement.

    >>> signed(2**64 - 1)
    -1
    """
    if not isinstance(value, int):
        raise WireError("a message where a number belongs")
    return value - (1 << 64) if value >> 63 else value


def float32(value: Value) -> float:
    """A float field."""
    return _unpacked("<f", value)


def float64(value: Value) -> float:
    """A double field."""
    return _unpacked("<d", value)


def _unpacked(layout: str, value: Value) -> float:
    try:
        number: float = struct.unpack(layout, message(value))[0]
    except struct.error:
        raise WireError("a number of the wrong width") from None
    return number
