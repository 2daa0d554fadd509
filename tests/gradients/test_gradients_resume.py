"""However a measurement came about, killed and continued or by two processes at once, it is the same measurement."""

import json
import random
import signal

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
import torch
from gradient_runs import BATCHES, measure, save_run

from zerosum.gradients import open_gradients
from zerosum.gradients._saved_sums import (
    SavedSums,
    named,
    put_in_arrays,
    saved_sequences,
    take_out_arrays,
    total,
    write_sum,
)
from zerosum.gradients._share import PER_TOKEN, Share
from zerosum.sharing import Job, work_through

METHODS = {"exact": 1e-9, "sampled": 1e-6}  # a sample adds up in float32


def start(processes, *arguments, **environment):
    process = processes.Process(target=measure, args=arguments, kwargs=environment)
    process.start()
    return process


def exit_code(process):
    process.join(timeout=100)
    assert not process.is_alive()
    return process.exitcode


@pytest.fixture(scope="module", params=METHODS)
def whole(request, processes, tmp_path_factory):
    """The run, the method, and the store that is made in one go."""
    folder = tmp_path_factory.mktemp("whole")
    save_run(folder)
    process = start(processes, folder, folder / "store", request.param)
    assert exit_code(process) == 0
    number, documents = json.loads((folder / f"measured-{process.pid}.json").read_text())
    assert number == 2 * BATCHES
    assert [one["method"] for one in documents] == [request.param] * 2
    return folder, request.param, open_gradients(folder / "store").load()


def require_same(store, expected):
    """The same numbers to rounding, and nothing left behind."""
    found = open_gradients(store).load()
    within = METHODS[expected.attrs["documents"][0]["method"]]
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=within, atol=1e-12, err_msg=name)
    for one, other in zip(found.attrs["documents"], expected.attrs["documents"], strict=True):
        for name in ("D_grad", "C_g", "C_ug", "C_uG", "D_first_order", "D_loss"):
            assert one[name] == pytest.approx(other[name], rel=within), name
        for name, ends in other["intervals"].items():
            if isinstance(ends, list):
                assert one["intervals"][name] == pytest.approx(ends, rel=within), name
    assert [one.name for one in store.parent.iterdir()] == [store.name]
    assert not list(store.rglob("*.part"))


def test_killed_five_times_at_random_batches(processes, whole, tmp_path):
    run, method, expected = whole
    generator = random.Random(0)  # noqa: S311 - not for cryptography
    for _ in range(5):
        assert exit_code(start(processes, run, tmp_path / "s", method, generator.randrange(3))) == -signal.SIGKILL
    assert exit_code(start(processes, run, tmp_path / "s", method)) == 0
    require_same(tmp_path / "s", expected)


def test_what_is_done_is_not_measured_again(processes, whole, tmp_path):
    run, method, expected = whole
    assert exit_code(start(processes, run, tmp_path / "s", method, BATCHES + 2)) == -signal.SIGKILL
    process = start(processes, run, tmp_path / "s", method)
    assert exit_code(process) == 0
    number, _ = json.loads((run / f"measured-{process.pid}.json").read_text())
    assert number == BATCHES - 2
    require_same(tmp_path / "s", expected)


def test_two_processes_share_the_batches(processes, whole, tmp_path):
    run, method, expected = whole
    both = [start(processes, run, tmp_path / "s", method, RANK=str(rank), WORLD_SIZE="2") for rank in (0, 1)]
    assert [exit_code(process) for process in both] == [0, 0]
    counts = [json.loads((run / f"measured-{process.pid}.json").read_text())[0] for process in both]
    assert sum(counts) == 2 * BATCHES
    require_same(tmp_path / "s", expected)


def test_one_takes_over_what_the_other_leaves(processes, whole, tmp_path):
    run, method, expected = whole
    dying, other = (start(processes, run, tmp_path / "s", method, die_at) for die_at in (1, None))
    assert exit_code(other) == 0
    assert exit_code(dying) == -signal.SIGKILL
    require_same(tmp_path / "s", expected)


def share(rows):
    known = {name: np.full((len(rows), 3), float(len(rows))) for name in PER_TOKEN}
    net, mass = ({"w": torch.full((2,), value * len(rows), dtype=torch.float64)} for value in (-1.0, 2.0))
    return Share(np.array(rows), net, mass, known, {"w": 0.5 * len(rows)}, 3 * len(rows))


def test_partial_sums_come_back_from_disk_and_add_up(tmp_path):
    for number, rows in enumerate(([4, 0], [2])):
        write_sum(tmp_path / f"{number}.safetensors", share(rows))
    whole = total(Job(tmp_path))
    assert sorted(whole.rows.tolist()) == [0, 2, 4]
    assert whole.mass["w"].tolist() == [6.0, 6.0]
    assert whole.net["w"].dtype == torch.float64
    assert (whole.n_formed, whole.within) == (9, {"w": 1.5})
    placed = whole.in_place("l1", 6)
    assert placed[4].tolist() == [2.0] * 3
    assert placed[2].tolist() == [1.0] * 3
    assert np.isnan(placed[[1, 3, 5]]).all()


def test_a_measurement_that_another_process_has_ended(tmp_path):
    job = Job(tmp_path / "parts")
    job.open()
    batches = named([np.array([0, 1]), np.array([2])])

    def ended_meanwhile(name):
        job.close()
        return share(batches[name].tolist())

    work_through(job, list(batches), SavedSums(job, batches), ended_meanwhile)
    assert not list(tmp_path.iterdir())
    assert total(job) is None


def test_a_sum_that_repeats_a_batch_of_another_process_is_made_anew(tmp_path):
    batches, job = named([np.array([0, 1]), np.array([2])]), Job(tmp_path)
    measured = []

    def taken_over_meanwhile(name):
        measured.append(name)
        if name == "batch-1":
            write_sum(tmp_path / "0.safetensors", share([2]))  # by another process
        return share(batches[name].tolist())

    work_through(job, list(batches), SavedSums(job, batches), taken_over_meanwhile)
    assert total(job).n_formed == 9
    assert measured == ["batch-0", "batch-1", "batch-0"]


def test_a_file_that_repeats_a_sequence_or_is_damaged_does_not_count(tmp_path):
    for number, rows in enumerate(([0, 1], [1, 2])):
        write_sum(tmp_path / f"{number + 1}.safetensors", share(rows))
    (tmp_path / "0.safetensors").write_bytes(b"damaged")
    assert len(saved_sequences(Job(tmp_path))) == 2
    assert total(Job(tmp_path)).n_formed == 6


def test_trees_of_arrays_are_taken_apart_and_put_together():
    tree = {"a.b": [np.arange(3), {"c": torch.ones(2)}], "d": None, "e": 1.5, "f": "words", "g": []}
    arrays = {}
    written = json.loads(json.dumps(take_out_arrays(tree, arrays)))
    read = put_in_arrays(written, {name: torch.as_tensor(array) for name, array in arrays.items()})
    assert read["a.b"][0].tolist() == [0, 1, 2]
    assert isinstance(read["a.b"][0], np.ndarray)
    assert read["a.b"][1]["c"].tolist() == [1.0, 1.0]
    assert {name: read[name] for name in "defg"} == {"d": None, "e": 1.5, "f": "words", "g": []}
