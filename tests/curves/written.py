"""Writers of other tools' binary logs, byte by byte, so that readers are tested without those tools."""

import json
import struct
import zlib
from pathlib import Path

from zerosum.curves.crc import masked_crc32c

# What torch's SummaryWriter wrote for train/loss: 3.5 at step 1 and 2.25 at step 300.
EVENT_FILE = bytes.fromhex(
    "4800000000000000fe92489d09126e28a862c0da411a0d627261696e2e4576656e743a32522e0a2c74656e736f72626f6172642e73756d6d"
    "6172792e7772697465722e6576656e745f66696c655f777269746572108fa2e8200000000000000029eda95009000000000000f03f10012a"
    "130a110a0a747261696e2f6c6f73731500006040ae7b530b2100000000000000017becf609000000000000004010ac022a130a110a0a7472"
    "61696e2f6c6f73731500001040b56b1d66"
)


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", masked_crc32c(length)) + data + struct.pack("<I", masked_crc32c(data))


def event(step: int, *values: bytes) -> bytes:
    return record(field(2, step) + field(5, b"".join(field(1, value) for value in values)))


def simple(tag: str, number: float) -> bytes:
    return field(1, tag) + b"\x15" + struct.pack("<f", number)


def event_file(points: list[tuple[int, dict[str, float]]]) -> bytes:
    """Points are (step, {tag: value}), each value an event of its own, as TensorBoard's writers do."""
    start = record(b"\x09" + struct.pack("<d", 1.0) + field(3, "brain.Event:2"))
    return start + b"".join(event(step, simple(tag, number)) for step, row in points for tag, number in row.items())


def history(row: dict[str, object], step: int | None = None, key: int = 1) -> bytes:
    """A W&B history record. key: field number of the item's name, 1 `key` or 2 `nested_key`."""
    items = b"".join(field(1, field(key, name) + field(16, json.dumps(value))) for name, value in row.items())
    return field(2, items + (field(2, field(1, step)) if step is not None else b""))


def log_file(records: list[bytes]) -> bytes:
    """LevelDB's log of W&B: 32 KiB blocks of chunks; what is left of a block under seven bytes is zero."""
    out = bytearray(b":W&B\xe1\xbe\x00")
    for data in records:
        first = True
        while first or data:
            room = 32_768 - len(out) % 32_768
            if room < 7:
                out += bytes(room)
                continue
            part, data = data[: room - 7], data[room - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not data]
            out += struct.pack("<IHB", zlib.crc32(part, zlib.crc32(bytes([kind]))), len(part), kind) + part
            first = False
    return bytes(out)


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
