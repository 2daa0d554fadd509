"""Processes killed at random file operations and at random times: started again, a run ends as if nothing happened.

`make check-long` kills runs of every optimizer.
"""

import signal
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import numpy as np
from killed_runs import contents, exit_code, steps_when_killed, train_and_die

from zerosum.training import train
from zerosum.training.optimizers.schedule_free import ScheduleFreeSettings
from zerosum.training.recipe import Recipe


def test_killed_before_any_file_operation(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    train(recipe, tmp_path / "whole")
    run = tmp_path / "killed"
    generator = np.random.default_rng(0)
    kills = 0
    for _ in range(6):
        if steps_when_killed(processes, recipe, run, int(generator.integers(1, 90))) is None:
            break
        kills += 1
    assert kills >= 3
    train(recipe, run)
    assert contents(run) == contents(tmp_path / "whole")


def test_killed_where_checkpoints_hold_other_weights_than_training(
    recipe: Recipe, tmp_path: Path, processes: ForkServerContext
) -> None:
    averaged = recipe.model_copy(update={"optimizer": ScheduleFreeSettings(lr=0.01, weight_decay=0.1)})
    train(averaged, tmp_path / "whole")
    assert steps_when_killed(processes, averaged, tmp_path / "killed", 40)
    train(averaged, tmp_path / "killed")
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_killed_at_random_times(recipe: Recipe, tmp_path: Path, processes: ForkServerContext) -> None:
    longer = recipe.model_copy(update={"steps": 120, "resume_every": 5})
    train(longer, tmp_path / "whole")
    run = tmp_path / "killed"
    generator = np.random.default_rng(1)
    log = run / "metrics.jsonl"
    lives = []
    for target in (5, 60, 110):
        process = processes.Process(target=train_and_die, args=(longer, run, 10**9))
        process.start()
        while process.is_alive() and (not log.exists() or log.read_bytes().count(b"\n") < target):
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.02))
        process.kill()
        lives.append(exit_code(process))
    assert lives[0] == -signal.SIGKILL
    train(longer, run)
    assert contents(run) == contents(tmp_path / "whole")
