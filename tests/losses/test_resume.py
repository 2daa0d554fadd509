"""However a store came about, killed and continued or by two processes at once, it is the same store."""

import random
import signal

import numpy as np
import pytest
import xarray as xr
from stores import measure_in_small_pieces
from tiny import save_run

import zerosum

pytest.importorskip("torch")
pytest.importorskip("transformers")


def start(processes, *arguments, **environment):
    process = processes.Process(target=measure_in_small_pieces, args=arguments, kwargs=environment)
    process.start()
    return process


def exit_code(process):
    process.join(timeout=60)
    assert not process.is_alive()
    return process.exitcode


@pytest.fixture(scope="module")
def whole(processes, tmp_path_factory):
    """The run, its store made in one go, and how many files were changed for it."""
    folder = tmp_path_factory.mktemp("whole")
    save_run(folder / "run")
    process = start(processes, folder / "run", folder / "store")
    assert exit_code(process) == 0
    return (
        folder / "run",
        zerosum.open_store(folder / "store").load(),
        int(next(folder.glob("run/changes-*")).read_text()),
    )


def require_same(path, expected):
    found = zerosum.open_store(path).load()
    np.testing.assert_allclose(found["loss"], expected["loss"], atol=1e-6, rtol=0)
    xr.testing.assert_allclose(found.reset_coords(), expected.reset_coords(), atol=1e-6)
    assert found.attrs == expected.attrs | {"noise_floor": found.attrs["noise_floor"]}
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert not [one for one in path.rglob("*") if one.name.endswith((".part", ".partial"))]


def test_killed_five_times_at_random_moments(processes, whole, tmp_path):
    run, expected, changes = whole
    generator = random.Random(0)  # noqa: S311 - not for cryptography
    path = tmp_path / "store"
    for _ in range(5):
        process = start(processes, run, path, generator.randrange(1, changes // 2))
        assert exit_code(process) == -signal.SIGKILL
    assert exit_code(start(processes, run, path)) == 0
    require_same(path, expected)


def test_two_processes_share_the_work(processes, whole, tmp_path):
    run, expected, _ = whole
    path = tmp_path / "store"
    both = [start(processes, run, path, RANK=str(rank), WORLD_SIZE="2") for rank in (0, 1)]
    assert [exit_code(process) for process in both] == [0, 0]
    require_same(path, expected)


def test_one_takes_over_what_the_other_leaves(processes, whole, tmp_path):
    run, expected, changes = whole
    path = tmp_path / "store"
    dying = start(processes, run, path, changes // 4)
    other = start(processes, run, path)
    assert exit_code(other) == 0
    assert exit_code(dying) == -signal.SIGKILL
    np.testing.assert_allclose(zerosum.open_store(path)["loss"], expected["loss"], atol=1e-6, rtol=0)


def test_what_is_done_is_not_measured_again(processes, whole, tmp_path):
    run, expected, changes = whole
    path = tmp_path / "store"
    assert exit_code(start(processes, run, path, changes // 2)) == -signal.SIGKILL
    done = len(list(path.with_name("store.pieces").glob("*.done")))
    pieces = 3 * 3  # checkpoints, blocks of two of the five sequences
    assert 0 < done < pieces
    process = start(processes, run, path)
    assert exit_code(process) == 0
    assert int((run / f"measured-{process.pid}").read_text()) == pieces - done
    require_same(path, expected)
