"""TFRecord framing: length, its checksum, data, its checksum. What TensorBoard's event files are made of."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from zerosum.curves._note import Note
from zerosum.curves.crc import masked_crc32c

HEADER = struct.Struct("<QI")
CHECKSUM = struct.Struct("<I")


@dataclass
class Damage:
    """Parts of a file that could not be read. notes: one for each kind, with counts."""

    bad_records: int = 0
    notes: list[Note] = field(default_factory=list)


def begins_with_record(head: bytes) -> bool:
    """Whether the bytes begin with a record's length and the checksum that belongs to it."""
    if len(head) < HEADER.size:
        return False
    _, checksum = HEADER.unpack_from(head)
    return bool(masked_crc32c(head[:8]) == checksum)


def records(path: Path, damage: Damage) -> Iterator[bytes]:
    """Yield the data of each whole record, in order; damage in the others is recorded in `damage`.

    After a damaged length nothing can be found again, and reading ends there.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at < size:
            header = file.read(HEADER.size)
            if len(header) < HEADER.size:
                damage.notes.append(Note("cut-off", f"{path.name}: the last record is cut off and was dropped"))
                return
            length, checksum = HEADER.unpack(header)
            if masked_crc32c(header[:8]) != checksum:
                damage.notes.append(
                    Note("damaged", f"{path.name}: damaged at byte {at:,} of {size:,}; what follows was dropped")
                )
                return
            at += HEADER.size + length + CHECKSUM.size
            if at > size:
                damage.notes.append(Note("cut-off", f"{path.name}: the last record is cut off and was dropped"))
                return
            data, stored = file.read(length), file.read(CHECKSUM.size)
            if length <= _CHECKED and masked_crc32c(data) != CHECKSUM.unpack(stored)[0]:
                damage.bad_records += 1
                continue
            yield data


_CHECKED = 1 << 16  # bytes: images and histograms are longer than numbers, are not used, and would take long to check
