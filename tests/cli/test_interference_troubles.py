"""`zerosum interference` on stores that cannot be used, have problems, or hold hostile names."""

import csv

import numpy as np
import pytest
from called import HOSTILE_NAME, call, one_document
from fitted import check_nulls, words_of
from interference_stores import document_of, losses, write

__all__ = ["call"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write(losses(), tmp_path_factory.mktemp("store") / "losses.zarr")


def test_what_cannot_be_measured_is_one_line(call, store, tmp_path):
    alone = write(losses([7]), tmp_path / "alone.zarr")
    (tmp_path / "empty").mkdir()
    nothing = losses()
    nothing["loss"][:] = np.nan
    nothing = write(nothing, tmp_path / "nothing.zarr")
    wrong = {
        (tmp_path / "absent",): "not a store of losses",
        (tmp_path / "empty",): "not a store of losses",
        (alone,): "only step 7 is measured",
        (store, "--pairs", "1:3"): "step 3: not measured. The nearest that are: 1, 2, 4",
        (store, "--pairs", "soon"): "not FROM:TO",
        (store, "--by", "colour"): "not known. Use one of",
        (store, "--by", "domain"): "no coordinate 'domain'",
        (nothing, "--pairs", "1:2"): "step 1 has no loss at all",
    }
    for arguments, message in wrong.items():
        code, out, err = call("interference", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), arguments
        assert message in err
        assert str(arguments[0]) in err
    assert one_document(call("interference", alone, "--json")[1])["pairs"] == []


def test_one_bad_pair_does_not_lose_the_others(call, tmp_path):
    torn = losses()
    torn["loss"][3] = np.nan
    torn = write(torn, tmp_path / "torn.zarr")
    code, out, err = call("interference", torn, "--json")
    document = one_document(out)
    assert (code, len(document["pairs"]), len(document["errors"])) == (2, 1, 1)
    assert "step 4 has no loss at all" in document["errors"][0]["message"]
    assert err.count("\n") == 1


def test_stores_of_other_tokens_are_not_put_beside_each_other(call, store, tmp_path):
    same = write(losses().assign(loss=losses(seed=3)["loss"]), tmp_path / "same.zarr")
    other = write(losses(seed=1), tmp_path / "other.zarr")
    code, out, err = call("interference", store, same, other, "--json")
    document = one_document(out)
    assert code == 2
    assert [pair["source"] for pair in document["pairs"]] == [str(store)] * 2 + [str(same)] * 2
    assert document["errors"][0]["source"] == str(other)
    assert "made with other tokens" in err
    assert str(same) in call("interference", store, same)[1].replace("\n", "")


def test_a_damaged_store_is_said(call, tmp_path):
    folder = write(losses(), tmp_path / "losses.zarr")
    for piece in (folder / "loss" / "c").rglob("*"):
        if piece.is_file():
            piece.write_bytes(b"no such bytes")
    code, out, err = call("interference", folder)
    assert (code, out) == (2, "")
    assert "cannot be read" in err
    assert "Traceback" not in err


def test_hostile_names_are_only_text(call, tmp_path):
    hostile = losses().assign_attrs(documents=[HOSTILE_NAME] * 20, tokenizer_path=HOSTILE_NAME, noise_floor="\x1b[2J")
    store = write(hostile, tmp_path / "losses.zarr")
    code, out, _ = call("interference", store, "--by", "document", "--details")
    assert code == 0
    assert not set("\x1b\x9b\u202e") & set(out)
    assert "[bold red]" in out
    assert document_of(call, store, "--by", "document")["pairs"][0]["groups"][0]["name"].startswith(HOSTILE_NAME)


def test_noise_and_problems_of_the_store_are_said(call, tmp_path):
    quiet = write(losses().assign_attrs(noise_floor=1e-6), tmp_path / "quiet.zarr")
    pair = document_of(call, quiet)["pairs"][0]
    assert (pair["noise_floor"], pair["noise_floor_D"]) == (1e-6, 1e-6 / pair["M"])
    text = words_of(call("interference", quiet, "--details")[1])
    assert "Noise floor: measured in another batch, the same tokens differ by 1e-06 nats on average" in text
    assert "numerical noise." not in text
    said = {
        "noise_floor": 0.3,
        "dtype": "bfloat16",
        "problems": [{"code": "x", "steps": [4], "message": "its loss is implausible"}],
    }
    loud = write(losses().assign_attrs(said), tmp_path / "loud.zarr")
    assert "Problem: step 4: its loss is implausible." in words_of(call("interference", loud)[1])
    text = words_of(call("interference", loud, "--details")[1])
    assert "Part of this D may be numerical noise." in text
    assert "in another batch or in float32 instead of bfloat16, whichever differs more" in text
    assert "step 4: its loss is implausible" in text
    document = document_of(call, loud)["stores"][0]
    assert (document["problems"], document["problem_codes"]) == (["step 4: its loss is implausible"], ["x"])


def test_pairs_that_touch_a_problem_are_marked_and_in_no_sentence(call, tmp_path):
    rising = losses(steps=[1, 2, 4, 8, 16])
    rising["loss"][4] = rising["loss"][3].values
    same = {"code": "identical-weights", "steps": [8, 16], "message": "steps 8, 16 hold the same weights"}
    store = write(rising.assign_attrs(problems=[same]), tmp_path / "same.zarr")
    _, out, _ = call("interference", store, "--by", "position", "--details", columns=140)
    text = words_of(out)
    assert "4 to 8 *" in text
    assert "8 to 16 *" in text
    assert text.startswith("Steps 2 to 4: D")
    assert "From the first pair (steps 1 to 2) to the last (steps 2 to 4)" in text
    assert "Steps 4 to 8, 8 to 16 (marked *) touch a checkpoint with a problem (identical-weights)" in text
    assert "By position, steps 2 to 4" in text
    assert text.count("steps 8, 16 hold the same weights") == 1
    assert "of 2 successive pairs" in text
    document = document_of(call, store)
    check_nulls({"pairs": document["pairs"][:2]})
    assert [pair.get("problem") for pair in document["pairs"]] == [None, None, "identical-weights", "identical-weights"]
    assert [len(pair["persistence"]) for pair in document["pairs"]] == [1, 0, 0, 0]
    text = words_of(call("interference", store, "--pairs", "8:16")[1])
    assert "Every pair touches a checkpoint with a problem (identical-weights)" in text
    assert "no loss changed" not in text


def test_a_name_that_is_a_formula_is_escaped_in_every_table(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["=HYPERLINK(1)", *(f"+{k}" for k in range(19))]
    write(losses().assign_attrs(documents=names), tmp_path / "=HYPERLINK(2)")
    assert call("interference", "=HYPERLINK(2)", "--by", "document", "--out", "tables")[0] == 0
    for path in (tmp_path / "tables").glob("*.csv"):
        rows = list(csv.DictReader(path.open()))
        assert {row["source"] for row in rows} == {"'=HYPERLINK(2)"}
        assert not [text for row in rows for text in row.values() if text.startswith(("=", "@"))], path
    groups = [row["name"] for row in csv.DictReader((tmp_path / "tables" / "groups.csv").open())]
    assert "'=HYPERLINK(1)" in groups
    assert "'+3" in groups
