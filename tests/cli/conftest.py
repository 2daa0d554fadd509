import math

import pytest
from called import call
from tiny import as_csv, as_jsonl, as_nanogpt, rows

__all__ = ["call"]


@pytest.fixture(scope="session")
def bend(tmp_path_factory):
    log = tmp_path_factory.mktemp("bend") / "bend.csv"
    log.write_text(as_csv(rows()))
    return log


@pytest.fixture(scope="session")
def mixed(bend):
    """A run resumed once, a text log, one without a break, one too short."""
    line = [(step, 10 * step**-0.1 * (1 + 0.004 * math.sin(step))) for step in range(1, 6000, 5)]
    texts = {
        "resumed.jsonl": as_jsonl([*rows(1000), *rows(6000)[100:]]),
        "nanogpt.log": as_nanogpt(rows(seed=1)),
        "line.csv": as_csv(line),
        "short.csv": as_csv(rows()[:5]),
    }
    for name, text in texts.items():
        bend.with_name(name).write_text(text)
    return [bend, *(bend.with_name(name) for name in texts)]
