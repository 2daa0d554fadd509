"""In two connected processes: nothing changes in either, and the main one measures what one process would."""

import json
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
from distributed import train_twice
from several_processes import end, start


def test_nothing_changes_and_the_main_process_logs(processes: ForkServerContext, tmp_path: Path) -> None:
    assert end(start(processes, 2, train_twice, tmp_path)) == [0, 0]
    for rank in (0, 1):
        without, watched = (np.load(tmp_path / f"{monitored}-{rank}.npz") for monitored in (False, True))
        for name in ("weights", "generator"):
            np.testing.assert_array_equal(without[name], watched[name])
    rows = [json.loads(line) for line in (tmp_path / "log-0.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 4, 8]
    assert not (tmp_path / "log-1.jsonl").exists()
