from dataclasses import asdict
from pathlib import Path

import pytest

from zerosum.training.metrics import MetricsLog, Row, cut, read_rows

ROWS = [Row(step, step * 10, 5.0 / step, 1e-3, 0.1) for step in (1, 2, 3)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "metrics.jsonl"
    with MetricsLog(file) as writer:
        for row in ROWS:
            writer.append(asdict(row))
    return file


def test_rows_are_there_before_the_log_is_closed(tmp_path: Path) -> None:
    with MetricsLog(tmp_path / "metrics.jsonl") as writer:
        writer.append(asdict(ROWS[0]))
        text = (tmp_path / "metrics.jsonl").read_text()
    assert text == '{"step": 1, "tokens_seen": 10, "loss": 5.0, "lr": 0.001, "grad_norm": 0.1}\n'


@pytest.mark.parametrize(
    "damage",
    [b'{"step": 4, "tok', b'{"step": 4}', b'{"step": 5, "loss": 1}\n', b"\x00\x00\x00", b"\xff\xfe\n", b"[4]\n", b"\n"],
)
def test_what_a_kill_left_at_the_end_is_not_counted_and_cut(log: Path, damage: bytes) -> None:
    whole = log.read_bytes()
    log.write_bytes(whole + damage)
    assert len(read_rows(log)) == 3
    cut(log, 3)
    assert log.read_bytes() == whole
    assert list(log.parent.iterdir()) == [log]


def test_cut_keeps_the_first_rows_and_appending_goes_on_from_there(log: Path) -> None:
    whole = log.read_bytes()
    cut(log, 1)
    assert len(read_rows(log)) == 1
    with MetricsLog(log) as writer:
        writer.append(asdict(ROWS[1]))
        writer.append(asdict(ROWS[2]))
        writer.sync()
    assert log.read_bytes() == whole


def test_no_log_has_no_rows(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "none") == []
    cut(tmp_path / "none", 0)
    assert (tmp_path / "none").read_bytes() == b""
