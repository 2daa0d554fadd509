"""Rows that the live monitor wrote have no loss by design: no note says that they were dropped."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zerosum.curves import read_curve

STEPS = 30
MONITORED = (0, 1, 2, 4, 8, 16)


def rows(step: str, **place: Any) -> list[dict[str, Any]]:
    """Losses, and rows of the monitor between them: values, one that is not defined, and a warning."""
    made: list[dict[str, Any]] = []
    for k in range(STEPS):
        made.append({step: k, **place, "loss": 4 - k / 50})
        if k in MONITORED:
            made.append({step: k, **place, "zerosum/D_step": 0.5 if k else None, "zerosum/M_step": 0.1, "zerosum/N": k})
    return [*made, {step: 9, **place, "zerosum/warning": "spike", "zerosum/message": "step 9: the loss jumped"}]


def as_lines(path: Path, made: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    return path


def as_csv(path: Path, made: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, list(dict.fromkeys(name for row in made for name in row)), restval="")
        table.writeheader()
        table.writerows(made)
    return path


def as_state(path: Path, made: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"log_history": made, "max_steps": STEPS}))
    return path


def as_parquet(path: Path, made: list[dict[str, Any]]) -> Path:
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pd.DataFrame(made).to_parquet(path)
    return path


LOGS = {
    "log.jsonl": (as_lines, rows("step")),
    "wandb.jsonl": (as_lines, rows("_step", _runtime=2.5, _timestamp=1e9)),
    "trainer_state.json": (as_state, rows("step", epoch=0.5)),
    "metrics.csv": (as_csv, rows("step", epoch=0)),
    "table.parquet": (as_parquet, rows("step")),
}


@pytest.mark.parametrize("name", LOGS)
def test_no_note_says_that_they_were_dropped(name: str, tmp_path: Path) -> None:
    write, made = LOGS[name]
    curve = read_curve(write(tmp_path / name, made))
    np.testing.assert_allclose(curve.loss, [4 - k / 50 for k in range(STEPS)])
    assert not any("without a loss" in note or "dropped" in note for note in curve.cleaning)
    assert curve.dropped == {}


@pytest.mark.parametrize("name", LOGS)
def test_damage_is_still_told(name: str, tmp_path: Path) -> None:
    """A loss that is not there, an evaluation, and a loss that is not there beside values of the monitor."""
    write, made = LOGS[name]
    step = next(iter(made[0]))
    place = {key: value for key, value in made[0].items() if key not in (step, "loss")}
    damaged = [
        {step: STEPS, **place, "loss": None, "grad_norm": 1.0},
        {step: STEPS + 1, **place, "eval_loss": 3.0},
        {step: STEPS + 2, **place, "loss": None, "grad_norm": 2.0, "zerosum/D_step": 0.5},
        {step: STEPS + 3, **place, "loss": 3.0},
    ]
    curve = read_curve(write(tmp_path / name, made + damaged))
    assert len(curve) == STEPS + 1
    assert any(note == "3 rows without a loss (empty or NaN) dropped" for note in curve.cleaning)
