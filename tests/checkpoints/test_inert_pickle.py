"""What a pickle says is read without executing it: nothing of it runs, whatever it asks for."""

import pickle
import subprocess
import sys
import zipfile
from contextlib import suppress

import numpy as np
import pytest

from zerosum.checkpoints.inert_pickle import LARGEST, Inert, read_inert

PLAIN = {"a": 1, "b": [1.5, None, True, "text", (1, 2, 3, 4), ()], "c": {"d": b"bytes"}, "e": 2**80, "f": -3}


class Touch:
    """Unpickled, it creates a file: by a call, by a class's state, or by an entry of a dictionary."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


class Stateful:
    """As arguments of a run are: a class with a state."""

    def __init__(self, **state):
        self.__dict__.update(state)


def save(file, content, name="x/data.pkl"):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, content)
    return file


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_are_those_of_pickle(tmp_path, protocol):
    same = ["shared"]
    value = PLAIN | {"twice": [same, same]}
    if protocol < 3:
        value.pop("c")  # bytes are a call there
    assert read_inert(save(tmp_path / "f", pickle.dumps(value, protocol))) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_nothing_is_executed(tmp_path, protocol):
    touched = tmp_path / "touched"
    content = pickle.dumps(Stateful(rate=0.5, bad=Touch(touched), more=[Touch(touched)]), protocol)
    found = read_inert(save(tmp_path / "f", content))
    assert found.state["rate"] == 0.5
    assert isinstance(found.state["bad"], Inert)
    assert found.state["bad"].name.endswith(".open")
    assert found.state["bad"].arguments[0] == (str(touched), "w")
    assert not touched.exists()
    pickle.loads(content)  # noqa: S301 - it would have
    assert touched.exists()


def test_classes_are_names_and_nothing_is_imported(tmp_path):
    file = save(tmp_path / "f", b"\x80\x02cantigravity\nfly\n)\x81}X\x01\x00\x00\x00aK\x05sb.")
    script = (
        "import sys; from pathlib import Path; from zerosum.checkpoints.inert_pickle import read_inert;"
        f"found = read_inert(Path({str(file)!r}));"
        "assert (found.name, found.state) == ('antigravity.fly', {'a': 5}), vars(found);"
        "assert not {'antigravity', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_damaged_files_are_refused_or_read(tmp_path):
    content = pickle.dumps(Stateful(**PLAIN), 2)
    rng = np.random.default_rng(0)
    for _ in range(500):
        damaged = bytearray(content)
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(256)
        with suppress(ValueError):
            read_inert(save(tmp_path / "f", bytes(damaged)))
    big = b"\x80\x02" + pickle.dumps("x" * LARGEST)
    for file in (save(tmp_path / "f", big), save(tmp_path / "f", content, "other.pkl"), tmp_path / "none"):
        with pytest.raises(ValueError, match=r"torch\.save"):
            read_inert(file)
