"""A run of tiny models and tokens of all kinds, for tests of stores."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny import VOCABULARY, save_run

from zerosum.tokens import TokenSequences

S, T = 5, 7
STEPS = (0, 1, 2)  # of tiny.save_run


def some_tokens(seed=0):
    ids = np.random.default_rng(seed).integers(0, VOCABULARY, (S, T + 1))
    ids[3, 4:] = -1
    names = ("a", "b", "c")
    domain_of = np.array([0, 1, 0], dtype=np.int32)
    return TokenSequences(ids, np.array([0, 0, 1, 2, 2]), names, domain_of, ("x", "y"), {"pack": False})


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """Checkpoints of tiny models at STEPS; only read."""
    from zerosum.checkpoints import open_run

    return open_run(save_run(tmp_path_factory.mktemp("run")))


@pytest.fixture(scope="session")
def tokens():
    return some_tokens()


@pytest.fixture
def small_pieces(monkeypatch):
    """Two sequences to a chunk."""
    from zerosum.losses import _layout

    monkeypatch.setattr(_layout, "BLOCK", 2 * T)


def measure_in_small_pieces(run, path, dies_before=None, **environment):
    """Measure a run two sequences at a time, in this process; it kills itself before so many changes of files."""
    import torch

    from zerosum.checkpoints import open_run
    from zerosum.losses import _layout, measure_losses

    torch.set_num_threads(1)
    os.environ |= environment
    _layout.BLOCK = 2 * T
    changes = 0

    def hook(event, arguments):
        nonlocal changes
        if event in ("open", "os.rename", "os.remove", "os.mkdir") and str(path) in str(arguments[0]):
            changes += 1
            if changes == dies_before:
                os.kill(os.getpid(), signal.SIGKILL)

    def count(done, total, step):
        nonlocal measured
        measured += 1

    measured = 0
    sys.addaudithook(hook)
    measure_losses(Path(path), open_run(run).checkpoints, some_tokens(), on_piece=count)
    Path(run, f"changes-{os.getpid()}").write_text(str(changes))
    Path(run, f"measured-{os.getpid()}").write_text(str(measured))
