"""What optimizers declare and do: the table docs/optimizers.md, and trajectories of those that equal no other one.

Both are renewed by `make golden`.
"""

import inspect
import sys
from pathlib import Path

import numpy as np
import pytest

from zerosum.training.optimizer_settings import GoldenTrajectory, OptimizerSettings
from zerosum.training.optimizers import OPTIMIZERS

FOLDER = Path(__file__).parent
DOCS = FOLDER.parents[1] / "docs" / "optimizers.md"
ALONE = [kind for kind in OPTIMIZERS.names() if isinstance(OPTIMIZERS.settings(kind).identity, GoldenTrajectory)]

INTRODUCTION = """# Optimizers

Each is one file in `src/zerosum/training/optimizers/`. The name of the file is the `kind` in a recipe
(`optimizer.kind: lion`), in `build_optimizer("lion:lr=1e-4", model)` and in `zerosum step --optimizer lion:lr=1e-4`.
`make golden` writes this page from what the files declare.

p is a tensor of weights, g its clipped gradient, t the number of the update from 1; averages start at 0. Vectors never
decay; with `optimizer.decay_embeddings: false` neither do embeddings and head. Identity: settings at which 50 updates
in float64 equal those of another optimizer, which a test checks. Where there are none, a test compares with a saved
trajectory. Every rule is also compared with a second one, written in NumPy, to 1e-9 (Muon 1e-7). Training uses torch's
fused kernels of Adam and AdamW, which round otherwise: there an identity holds to float32's last digits, step by step.
"""


def rule_and_source(settings: type[OptimizerSettings]) -> tuple[str, str]:
    """The indented lines and the source of the file's docstring."""
    text = inspect.getdoc(sys.modules[settings.__module__]) or ""
    rule = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    _, _, source = " ".join(text.split()).rpartition("Source: ")
    return "<br>".join(f"`{line}`" for line in rule), source.removesuffix(".")


def identity(settings: type[OptimizerSettings]) -> str:
    declared = settings.identity
    if isinstance(declared, GoldenTrajectory):
        return f"none: {declared.reason}"
    numbers = ", ".join(f"{name} {value}" for name, value in declared.settings.items())
    close = f"to {declared.tolerance:g}" if declared.tolerance else "bit for bit"
    return f"{numbers}: {OPTIMIZERS.settings(declared.baseline).title}, {close}"


def page() -> str:
    lines = [
        INTRODUCTION,
        "| kind | rule | state of each tensor | cost | identity | sharded | source |",
        "|---" * 7 + "|",
    ]
    for kind in OPTIMIZERS.names():
        settings = OPTIMIZERS.settings(kind)
        rule, source = rule_and_source(settings)
        assert rule, kind
        assert any(character.isdigit() for character in source), kind
        layout = settings.saved_layout
        keys = (layout.state_keys or layout.optional_state_keys).union(*layout.keys_where.values())
        state = ", ".join(f"`{key}`" for key in sorted(keys))
        sharded = "yes" if settings.sharded is None else f"no, because {settings.sharded}"
        cells = (f"`{kind}`", rule, state, settings.cost, identity(settings), sharded, source)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def test_page_of_optimizers(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--renew-golden", default=False):
        DOCS.write_text(page(), encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("kind", ALONE)
def test_trajectory(kind: str, request: pytest.FixtureRequest) -> None:
    """A sum of all weights, each with its own factor, after each of 50 updates."""
    from zerosum.training.closed_form import STEPS, trajectory, trajectory_file, weighted_sums

    own = OPTIMIZERS.settings(kind)
    sums = weighted_sums(trajectory(own(**{"lr": 0.01, **own.identity.settings})))
    file = trajectory_file(kind)
    if request.config.getoption("--renew-golden", default=False):
        file.write_text("".join(f"{step} {value!r}\n" for step, value in enumerate(sums)), encoding="utf-8")
    saved = np.loadtxt(file)
    assert saved[:, 0].tolist() == list(range(STEPS + 1))
    np.testing.assert_allclose(sums, saved[:, 1], rtol=1e-9)
