"""The log of W&B's `.wandb` files: LevelDB's, in blocks of 32 KiB, with a header of its own and zlib's CRC-32."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from zerosum.curves._note import Note
from zerosum.curves.records import Damage

FILE_HEADER = b":W&B\xe1\xbe"  # then one byte, the version
FILE_HEADER_SIZE = 7
BLOCK = 32_768
CHUNK = struct.Struct("<IHB")  # checksum of type and data, length, type
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def log_records(path: Path, damage: Damage) -> Iterator[bytes]:
    """Yield each whole record, in order; damage in the others is recorded in `damage`.

    A record that does not fit is cut into chunks; none begins in the last six bytes of a block. After a damaged chunk
    reading goes on with the next block, as LevelDB does. Source: leveldb/doc/log_format.md.
    """
    parts: list[bytes] | None = None
    with path.open("rb") as file:
        offset = FILE_HEADER_SIZE
        file.seek(offset)
        while block := file.read(BLOCK - offset):
            last = len(block) < BLOCK - offset
            offset = 0
            for kind, data in _chunks(block, last, damage, path.name):
                if kind == FULL:
                    yield data
                elif kind == FIRST:
                    parts = [data]
                    continue
                elif parts is not None and kind in (MIDDLE, LAST):
                    parts.append(data)
                    if kind == MIDDLE:
                        continue
                    yield b"".join(parts)
                parts = None
    if parts is not None and not damage.notes:
        damage.notes.append(Note("cut-off", f"{path.name}: the last record is cut off and was dropped"))


def _chunks(block: bytes, last: bool, damage: Damage, name: str) -> Iterator[tuple[int, bytes]]:
    """Chunks of one block up to the first damaged one, which has `kind` 0 and ends the record being joined."""
    at = 0
    while at + CHUNK.size <= len(block):
        checksum, length, kind = CHUNK.unpack_from(block, at)
        start, end = at + CHUNK.size, at + CHUNK.size + length
        if checksum == length == kind == 0:  # a block that was set aside and not filled
            return
        if end > len(block) and last:
            damage.notes.append(Note("cut-off", f"{name}: the last record is cut off and was dropped"))
            return
        if end > len(block) or zlib.crc32(block[start:end], zlib.crc32(block[at + 6 : at + 7])) != checksum:
            damage.bad_records += 1
            yield 0, b""
            return
        yield kind, block[start:end]
        at = end
    if last and len(block) - at > 0:
        damage.notes.append(Note("cut-off", f"{name}: the last record is cut off and was dropped"))
