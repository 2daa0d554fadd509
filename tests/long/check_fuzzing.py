"""Fuzzing of logs, data files and settings of models.

Every reader gets damaged logs: bytes cut, removed, repeated, replaced, flipped or in another encoding ("damaged"),
damaged content under right checksums, values of wrong types, and logs that hypothesis makes up. Each has to give a
curve with finite, positive losses, or an `InputError` of one line. Where a checksum protects the points of a damaged
log, no other point may be read. Data files of any content ("made up") have to give sequences of the vocabulary, and
tiny models with settings of other types and values ("wrong types") losses, or one line.
"""

from pathlib import Path

import pytest
from any_data import read_any_data
from any_logs import ANY_LOG, read_any_logs
from damaged_logs import CHECKSUMMED, TYPED, read_damage_under_right_checksums, read_damaged_logs, read_wrong_types
from damaged_logs import SEEDS as FORMATS
from damaged_settings import FAMILIES, measure_damaged_settings

SEEDS = "the number of the case, 0 to N - 1; hypothesis: drawn anew in each run"
CASES = 10_000
CHECKS = [
    *(("damaged", read_damaged_logs, kind) for kind in FORMATS),
    *(("damaged under right checksums", read_damage_under_right_checksums, kind) for kind in CHECKSUMMED),
    *(("wrong types", read_wrong_types, kind) for kind in TYPED),
    *(("made up", read_any_logs, kind) for kind in ANY_LOG),
    ("made up", lambda kind, folder, cases: read_any_data(folder, cases), "data files"),
    *(("wrong types", measure_damaged_settings, family) for family in FAMILIES),
]


@pytest.mark.parametrize(("damage", "read", "kind"), CHECKS, ids=[f"{damage}-{kind}" for damage, _, kind in CHECKS])
def test_every_file_is_read_or_refused(damage, read, kind, tmp_path: Path, table, count):
    cases, result = count(CASES // len(FAMILIES) if kind in FAMILIES else CASES), "failed"
    try:
        read(kind, tmp_path, cases)
        result = "each read or refused"
    finally:
        table.add(file=kind, damage=damage, N=cases, result=result)
