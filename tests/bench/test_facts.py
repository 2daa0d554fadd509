"""Facts of a finished trunk: a break enters a bench only where its place is known."""

import json
import math
from pathlib import Path

import numpy as np

from zerosum import deceleration
from zerosum.bench.facts import NOWHERE, break_of
from zerosum.runs import RunDirectory
from zerosum.training.run_folder import METRICS

STEPS = np.unique(np.round(100 * 2 ** np.arange(0, 7.3, 1 / 24)))


def run_with(folder: Path, seed: int, noise: float) -> RunDirectory:
    """A break at step 3,600 under noise that wanders."""
    wander, x, rng = 0.0, np.log(STEPS), np.random.default_rng(seed)
    rows = []
    for step, log_step in zip(STEPS, x, strict=True):
        wander = 0.9 * wander + noise * rng.normal()
        line = math.log(5) - 0.12 * log_step + 0.06 * 0.25 * np.logaddexp(0, (log_step - 8.2) / 0.25)
        rows.append({"step": int(step), "lr": 1e-3, "held_out_loss": math.exp(line + wander)})
    folder.mkdir()
    (folder / METRICS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return RunDirectory(folder)


def test_a_break_without_a_place_has_no_numbers(tmp_path: Path) -> None:
    known = unknown = 0
    for seed in range(16):
        run = run_with(tmp_path / str(seed), seed, 0.006)
        fit, (L_d, t_d, r_d, verdict) = deceleration.fit(run.curve()), break_of(run)
        assert verdict == fit.verdict
        located = fit.verdict == "decelerates" and NOWHERE not in {reason.code for reason in fit.reasons}
        assert (L_d, t_d, r_d) == ((fit.L_d, fit.t_d, fit.r_d) if located else (None, None, None))
        known, unknown = known + located, unknown + (fit.verdict == "decelerates" and not located)
    assert known
    assert unknown


def test_a_clear_break_has_numbers(tmp_path: Path) -> None:
    L_d, t_d, r_d, verdict = break_of(run_with(tmp_path / "run", 0, 0.001))
    assert verdict == "decelerates"
    assert L_d is not None
    assert np.allclose([L_d, t_d, r_d], [5 * math.exp(-0.12 * 8.2), math.exp(8.2), 0.06], rtol=0.1)
