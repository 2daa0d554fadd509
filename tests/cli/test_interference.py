"""`zerosum interference`: table and words, JSON, CSV."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from called import call, one_document
from fitted import check_nulls, words_of
from interference_stores import STEPS, document_of, losses, write

import zerosum
from zerosum.interference import measure

__all__ = ["call"]

PROMISED = {
    *("from_step", "to_step", "R", "D", "M", "delta_L", "harmful_share", "N", "null", "null_unit", "excess"),
    *("noise_floor", "noise_floor_D", "interval", "groups", "C_between", "C_within"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write(losses(), tmp_path_factory.mktemp("store") / "losses.zarr")


@pytest.fixture
def run(tmp_path):
    """A run directory: a store, and a checkpoint with its tokenizer."""
    from tokenizers import Tokenizer, decoders, models

    bytes_as_words = {chr(256 + byte): byte for byte in range(256)}
    tokenizer = Tokenizer(models.WordLevel(bytes_as_words, unk_token=chr(256)))
    tokenizer.decoder = decoders.Fuse()
    (tmp_path / "checkpoint-4").mkdir()
    tokenizer.save(str(tmp_path / "checkpoint-4" / "tokenizer.json"))
    write(losses(), tmp_path / "zerosum" / "losses.zarr")
    return tmp_path


def test_json_holds_what_is_promised(call, store):
    document = document_of(call, store, "--by", "position")
    check_nulls(document)
    assert document["errors"] == []
    assert [(pair["from_step"], pair["to_step"]) for pair in document["pairs"]] == [(1, 2), (2, 4)]
    assert document["stores"][0]["unpaired"] == [4, 9]
    held = zerosum.open_store(store)
    for pair in document["pairs"]:
        assert pair.keys() >= PROMISED
        a, b = (held["loss"].values[STEPS.index(pair[name])].astype(float) for name in ("from_step", "to_step"))
        ours = measure(b - a, held["document"].values[:, None])
        for name in ("R", "D", "M", "delta_L", "harmful_share", "N", "null", "null_unit", "excess", "left_out"):
            assert pair[name] == getattr(ours, name)
        assert pair["interval"]["D"] == list(ours.interval.D)
        assert (pair["left_out"], pair["units"], pair["noise_floor"]) == (1, "document", None)
        assert [group["name"] for group in pair["groups"]] == ["1", "2-3", "4-7"]
        assert all(group.keys() >= {"name", "w", "R", "D", "M", "N"} for group in pair["groups"])
        assert sum(group["w"] * group["R"] for group in pair["groups"]) == pytest.approx(pair["R"], abs=1e-12)
        assert pair["C_between"] * pair["C_within"] == pytest.approx(1 - pair["D"], abs=1e-12)
    assert document["pairs"][0]["persistence"][0]["shares_checkpoint"] is True


def test_pairs_units_and_seed_are_those_asked_for(call, store):
    document = document_of(call, store, "--pairs", "0:4,1:9", "--units", "sequence", "--top", 0)
    assert [(pair["from_step"], pair["to_step"]) for pair in document["pairs"]] == [(0, 4), (1, 9)]
    assert {pair["interval"]["n_units"] for pair in document["pairs"]} == {40}
    assert {len(pair["moved"]) for pair in document["pairs"]} == {0}
    assert document["stores"][0]["worse_often"] is None
    check_nulls(document)
    again = document_of(call, store, "--pairs", "0:4,1:9", "--units", "sequence", "--top", 0, "--seed", 1)
    assert again["pairs"][0]["interval"]["R"] != document["pairs"][0]["interval"]["R"]


def test_the_answer_fits_one_screen(call, store):
    pair = document_of(call, store)["pairs"][-1]
    for by in ((), ("--by", "position"), ("--by", "document"), ("--by", "initial-loss")):
        code, out, err = call("interference", store, *by, columns=80)
        assert (code, err) == (0, "")
        assert len(out.splitlines()) <= 24
        assert max(map(len, out.splitlines())) <= 80
        text = words_of(out)
        assert f"{100 * pair['harmful_share']:.0f}\xa0% of the movement makes tokens worse" in out.replace("\n", " ")
        assert "tokens got worse in at least 2 of 2 successive pairs" in text
        assert "more: --details" in text
    row = next(line for line in out.splitlines() if line.strip().startswith("2 to 4"))
    low, high = pair["interval"]["D"]
    for shown in (f"{pair['D']:.3f} [{low:.3f}, {high:.3f}]", f"{pair['null_unit']:.3f}", str(pair["N"])):
        assert shown.replace(" ", "\xa0") in row.replace(" ", "\xa0")


def test_details_say_what_the_numbers_say(call, store):
    pair = document_of(call, store)["pairs"][-1]
    code, out, err = call("interference", store, "--details", columns=80)
    text = words_of(out)
    assert (code, err) == (0, "")
    assert "of all movement made tokens worse (D/2, as the mean loss fell)" in text
    assert "No step within 5 % of twice 4, 9" in text
    assert "Noise floor unknown: numerical noise was not measured" in text
    assert "up to 1 position without a loss" in text
    lines = out.splitlines()
    row = next(line for line in reversed(lines) if line.strip().startswith("2 to 4"))
    for shown in (f"{pair['D']:.3f}", f"{pair['null']:.3f}", f"−{-pair['excess']:.3f}", str(pair["N"])):
        assert shown in row
    assert f"{pair['null_unit']:.3f}" in lines[lines.index(row) + 1]


@pytest.mark.parametrize("columns", [80, 140])
@pytest.mark.parametrize("by", ["position", "document", "initial-loss"])
def test_nothing_is_wider_than_the_terminal(call, store, columns, by):
    code, out, _ = call("interference", store, "--by", by, "--details", columns=columns)
    assert code == 0
    assert max(map(len, out.splitlines())) <= columns
    assert "chance" in out
    assert "…" not in out
    assert re.search("1 → 2 +2 → 4", out)  # the table over time, whose first column is the first to give way
    assert ("Regression to the mean" in words_of(out)) == (by == "initial-loss")


def test_rising_losses_and_losses_that_do_not_move(call, tmp_path):
    rising = losses()
    rising["loss"][2:] += 3 * np.arange(3)[:, None, None]
    rising["loss"][1] = rising["loss"][0].values
    store = write(rising, tmp_path / "losses.zarr")
    text = words_of(call("interference", store, "--details")[1])
    assert "1 − D/2, as the mean loss rose" in text
    code, out, _ = call("interference", store, "--pairs", "0:1", "--by", "position", "--json")
    pair = one_document(out)["pairs"][0]
    assert (code, pair["D"], pair["D_reason"], pair["groups"]) == (0, None, "every change is zero", [])
    assert pair["by_reason"] == pair["C_between_reason"] == "no loss changed, so no group moved"
    assert "--by" in document_of(call, store, "--pairs", "1:2")["pairs"][0]["by_reason"]
    check_nulls(pair)
    assert "no loss changed at all" in words_of(call("interference", store, "--pairs", "0:1")[1])


def test_a_run_directory_decodes_with_its_own_tokenizer(call, run):
    document = document_of(call, run, "--by", "token-class")
    assert {group["name"] for group in document["pairs"][0]["groups"]} >= {"word-continuation"}
    token = next(one for one in document["pairs"][0]["moved"] if one["kind"] == "token")
    assert token["text"] == chr(256 + token["token"])
    plain = document_of(call, write(losses(), run / "elsewhere.zarr"))
    assert next(one for one in plain["pairs"][0]["moved"] if one["kind"] == "token")["text"].startswith("token ")


def test_a_tokenizer_of_another_model_or_none_is_one_line(call, store, run, tmp_path):
    code, out, err = call("interference", store, "--by", "token-class")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no tokenizer is known" in err
    (run / "checkpoint-4" / "tokenizer.json").write_text("{}")
    code, out, err = call("interference", run)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "not a tokenizer" in err


def test_tables_are_the_json_in_columns(call, store, tmp_path):
    code, out, _ = call("interference", store, "--by", "position", "--out", tmp_path / "tables", "--json")
    document = one_document(out)
    tables = {path.stem: list(csv.DictReader(path.open())) for path in (tmp_path / "tables").glob("*.csv")}
    assert code == 0
    assert set(tables) == {"pairs", "groups", "persistence", "moved"}
    assert len(tables["groups"]) == 2 * 3
    for row, pair in zip(tables["pairs"], document["pairs"], strict=True):
        assert (float(row["D"]), int(row["N"])) == (pair["D"], pair["N"])
        assert [float(row["D_low"]), float(row["D_high"])] == pair["interval"]["D"]
        assert row["source"] == str(store)
    for row, group in zip(tables["groups"], [g for p in document["pairs"] for g in p["groups"]], strict=True):
        assert (row["name"], float(row["w"])) == (group["name"], group["w"])
    assert all(one["mean"] == one["net"] / one["N"] for pair in document["pairs"] for one in pair["moved"])
    assert json.loads(tables["moved"][0]["text"]) == document["pairs"][0]["moved"][0]["text"]
    assert len(tables["moved"]) == sum(len(pair["moved"]) for pair in document["pairs"])
    assert len(tables["persistence"]) == 1
    (tmp_path / "file").write_text("")
    code, _, err = call("interference", store, "--out", tmp_path / "file")
    assert (code, err.count("\n")) == (2, 1)


def test_the_verb_loads_no_torch(store):
    code = (
        "import sys; sys.argv = ['zerosum', 'interference', sys.argv[1]]\n"
        "from zerosum.cli import main\n"
        "try: main()\n"
        "except SystemExit as left: assert not left.code\n"
        "print({'torch', 'matplotlib', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
