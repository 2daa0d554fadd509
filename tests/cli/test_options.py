"""Groups of options: every verb that reads logs has all of them, in the place where the group stands."""

import inspect
import subprocess
import sys
from dataclasses import fields

import pytest

import zerosum
from zerosum.cli.compare import compare
from zerosum.cli.curves import curves
from zerosum.cli.fit import fit
from zerosum.cli.options import Fitting, Reading

torch = pytest.importorskip("torch")
READING, FITTING = ([option.name for option in fields(group)] for group in (Reading, Fitting))


@pytest.mark.parametrize(
    ("verb", "names"),
    [
        (curves, ["sources", "out", "join", *READING, "as_json"]),
        (fit, ["sources", *FITTING, "forecast", "breaks", *READING, "details", "out", "as_json"]),
        (compare, ["sources", "axis", *FITTING, *READING, "details", "out", "as_json"]),
    ],
)
def test_a_verb_has_the_options_of_its_groups(verb, names):
    assert list(inspect.signature(verb).parameters) == names


def test_the_groups_are_what_the_functions_take():
    reads = inspect.signature(zerosum.read_curve).parameters
    assert [name for name in reads if name != "source"] == READING
    assert set(FITTING) == set(inspect.signature(zerosum.fit).parameters) - {"curve", "models"}


def test_the_module_is_the_command():
    shown = subprocess.run([sys.executable, "-m", "zerosum", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"zerosum {zerosum.__version__}\n"


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_short_memory_is_one_line(call, monkeypatch, tmp_path, error):
    def full(*given, **named):
        raise error

    monkeypatch.setattr("zerosum.cli.step.usable_device", full)
    code, out, said = call("step", tmp_path, "--train", tmp_path, "--data", tmp_path)
    assert (code, out) == (2, "")
    assert said.startswith(f"zerosum: not enough memory ({str(error) or 'MemoryError'}).")
