"""`--average` of the verbs that measure, and raw and averaged weights side by side in a report."""

import json
import re
import shutil

import numpy as np
import pytest
from called import one_document
from tiny import save_run

from zerosum.interference.labelled import RawAndAveraged
from zerosum.runs import Wanted, read_run

torch = pytest.importorskip("torch")
STEPS = (1, 2, 4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A foreign run with dense checkpoints, and token ids."""
    folder = save_run(tmp_path_factory.mktemp("dense"), STEPS)
    np.save(folder / "ids.npy", np.random.default_rng(0).integers(0, 40, (24, 13)))
    return folder


def test_losses_and_report_of_averages(call, run):
    data = ("--data", run / "ids.npy")
    assert call("losses", run, *data, "--json")[0] == 0
    code, out, _ = call("losses", run, *data, "--average", "last:3", "--json")
    (found,) = one_document(out)["runs"]
    assert (code, found["average"]) == (0, "last:3")
    assert [entry["steps"] for entry in found["averaged"]] == [[1], [1, 2], [2, 4]]
    assert found["store"] == str(run / "zerosum" / "losses-last-3.zarr")
    assert call("losses", run, *data, "--average", "1,2")[0] == 0
    code, out, said = call("losses", run, *data, "--average", "2,4")
    assert (code, "means of 2 of them" in out) == (0, True), said
    code, out, said = call("losses", run, *data, "--average", "last:2")
    assert code == 0, said
    assert "only one checkpoint lies in the window there: steps 4." in " ".join(out.split())
    shutil.rmtree(run / "zerosum" / "losses-last-2.zarr")
    code, out, _ = call("interference", run, "--average", "1,2", "--json")
    assert [(pair["from_step"], pair["to_step"]) for pair in one_document(out)["pairs"]] == [(2, 4)]
    code, out, _ = call("interference", run, "--average", "last:3", "--json")
    alone = {(pair["from_step"], pair["to_step"]): pair["D"] for pair in one_document(out)["pairs"]}
    record = read_run(run, Wanted(groups=False, heat=False)).get(RawAndAveraged)
    averages, means = record.to_json()["averages"]
    assert (averages["average"], means["average"]) == ("last:3", "steps")
    assert {(pair["from_step"], pair["to_step"]): pair["averaged"]["D"] for pair in averages["pairs"]} == alone
    assert "made of saved checkpoints" in record.stores[0].about
    assert len(record.plot().axes) == 2
    answer = " ".join(repr(record).split())
    assert re.match(r"Averages last:3, steps 2 to 4: D is [\d.]+ averaged and [\d.]+ raw\. ", answer), answer
    shutil.rmtree(run / "zerosum")


def test_gradients_and_dissent_of_averages(call, run):
    for verb, place in (("gradients", "gradients-last-2.zarr"), ("dissent", "dissent-last-2")):
        code, out, said = call(verb, run, "--data", run / "ids.npy", "--average", "last:2", "--json")
        assert code == 0, said
        document = one_document(out)
        assert (document["average"], document["not_averaged"]) == ("last:2", [4])
        assert [entry["step"] for entry in document["checkpoints"]] == [1, 2]
        assert (run / "zerosum" / place).is_dir()
    shutil.rmtree(run / "zerosum")


@pytest.mark.parametrize(
    ("verb", "options", "words"),
    [
        ("losses", ["--average", "ema:0.9"], "no average ema:0.9 was saved"),
        ("dissent", ["--average", "last:1"], "averages nothing"),
        ("gradients", ["--average", "best"], "not known. Write last:K"),
        ("gradients", ["--average", "last:3", "--train", "ids.npy"], "--average and --train"),
    ],
)
def test_what_is_wrong_is_one_line(call, run, verb, options, words):
    code, _, said = call(verb, run, "--data", run / "ids.npy", *options)
    assert code == 2
    assert words in said
    assert len(said.strip().splitlines()) == 1, json.dumps(said)


def test_an_average_that_was_not_measured(call, run):
    code, _, said = call("interference", run, "--average", "last:3")
    assert code == 2
    assert f"zerosum losses {run} --data TEXTS --average last:3" in said
