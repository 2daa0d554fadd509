"""A number per token is two files, the number and its section: help, JSON, store, tables and page have it."""

import csv
import json

import numpy as np
import pytest
from tiny import VOCABULARY, save_run

import zerosum
from zerosum.errors import InputError
from zerosum.losses.quantities import quantities

DRAW_ONE = """
import zerosum.show.folder as folder
from zerosum.show.drawing import Drawing

def draw(figure, report, for_print=False, draw=folder.draw):
    if figure.__name__.endswith("token_quantities"):
        return draw(figure, report, for_print)
    return Drawing(blank, blank, b"%PDF-")

blank = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"/>'
folder.draw = draw
"""  # drawing the others takes seconds


@pytest.fixture
def run(tmp_path):
    pytest.importorskip("transformers")
    folder = save_run(tmp_path / "run", (1, 2))
    np.save(tmp_path / "ids.npy", np.random.default_rng(0).integers(0, VOCABULARY, (24, 9)))
    return folder


def mean_rank(run, ids):
    import torch
    from transformers import LlamaForCausalLM

    ids = torch.as_tensor(ids)
    with torch.no_grad():
        logits = LlamaForCausalLM.from_pretrained(run / "checkpoint-2")(ids[:, :-1]).logits
    return float((logits > logits.gather(-1, ids[:, 1:, None])).sum(-1).float().mean())


def test_a_number_per_token_is_two_files(house, run, tmp_path):
    ids, also = tmp_path / "ids.npy", ("--also", "rank", "--also", "entropy")
    with pytest.raises(InputError, match="rank: not a number per token"):  # in this process, which has torch already
        quantities(("rank",))
    house.add("quantity.py", "losses/quantities/rank.py")
    house.add("quantity_section.py", "show/sections/ranks.py")
    measure = ("losses", run, "--data", ids, *also)
    help_text, document, answer, _ = house.run_all(
        ("losses", "--help"),
        (*measure, "--json"),
        measure,
        ("report", run, "--out", tmp_path / "out"),
        program=DRAW_ONE,
    )
    assert "entropy, rank" in " ".join(help_text.replace("│", " ").split())

    (measured,) = json.loads(document)["runs"]
    rank = measured["checkpoints"][-1]["rank"]
    expected = mean_rank(run, np.load(ids))
    assert rank["value"] == pytest.approx(expected, abs=0.05)  # near ties may fall either way
    assert (rank["N"], rank["unit"], rank["reason"]) == (192, "tokens", None)
    assert rank["interval"][0] < rank["value"] < rank["interval"][1]
    assert set(zerosum.open_store(measured["store"]).data_vars) == {"loss", "entropy", "rank"}
    assert "mean entropy of the prediction" in " ".join(answer.split())

    page = (tmp_path / "out" / "report.html").read_text()
    assert "Ranks of labels" in page
    assert f"Mean rank of the label in run: {rank['value']:.1f} at step 2." in page
    assert "Other numbers per token" in page
    (row,) = csv.DictReader((tmp_path / "out" / "ranks.csv").open())
    assert float(row["rank_low"]) == rank["interval"][0]
    assert len(list(csv.DictReader((tmp_path / "out" / "quantities.csv").open()))) == 4
    assert (tmp_path / "out" / "figures" / "token-quantities.svg").is_file()
