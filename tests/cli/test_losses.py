"""`zerosum losses` as a user calls it: a store, a summary, one document, one line for what is wrong."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from called import one_document
from tiny import save_checkpoint, save_run, tiny_model

import zerosum
from zerosum.losses import token_losses

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

VOCABULARY, CONTEXT = 257, 16
STEPS = (0, 10, 20, 40)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Checkpoints with a tokenizer; the last two hold the same weights."""
    from zerosum.tokens import byte_tokenizer

    folder = tmp_path_factory.mktemp("run")
    sizes = {"vocab_size": VOCABULARY, "max_position_embeddings": CONTEXT}
    return save_run(folder, STEPS, seeds=(0, 10, 20, 20), tokenizer=byte_tokenizer(), **sizes)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "texts.jsonl"
    letters = np.random.default_rng(0).integers(97, 123, (25, 20))
    records = [{"text": bytes(row.tolist()).decode(), "kind": "ab"[k % 2]} for k, row in enumerate(letters)]
    path.write_text("\n".join(map(json.dumps, records)))
    return path


@pytest.fixture(autouse=True)
def no_stores(run):
    """Each test begins without a store in the run."""
    yield
    shutil.rmtree(run / "zerosum", ignore_errors=True)


def test_store_and_document(call, run, texts):
    code, out, said = call("losses", run, "--data", texts, "--no-pack", "--domain", "kind", "--json")
    assert code == 0, said
    document = one_document(out)
    assert document["errors"] == []
    (found,) = document["runs"]
    store = zerosum.open_store(run / "zerosum" / "losses.zarr")
    assert (found["complete"], found["dtype"], found["store"]) == (
        True,
        "float32",
        str(run / "zerosum" / "losses.zarr"),
    )
    assert (found["n_sequences"], found["n_documents"], found["domains"]) == (50, 25, ["a", "b"])
    assert found["tokens"]["sequence_length"] == CONTEXT
    assert [row["step"] for row in found["checkpoints"]] == list(STEPS)
    model = transformers.AutoModelForCausalLM.from_pretrained(run / "checkpoint-10")
    for row, text in zip(store["loss"].values[1, ::2], texts.read_text().splitlines(), strict=True):
        ids = np.array([list(json.loads(text)["text"].encode())])
        np.testing.assert_allclose(row, token_losses(model, ids[:, : CONTEXT + 1])[0], atol=1e-6)
    for index, row in enumerate(found["checkpoints"]):
        assert row["N"] == 25 * 19
        assert row["mean_loss"] == pytest.approx(float(np.nanmean(store["loss"].values[index])), abs=1e-6)
        assert row["interval"][0] < row["mean_loss"] < row["interval"][1]
        assert "25 documents" in row["method"]
        assert 0 <= row["noise_floor"] < 1e-5
    assert found["gaps"] == []
    (problem,) = found["problems"]
    assert (problem["code"], problem["steps"]) == ("identical-weights", [20, 40])
    assert store.attrs["tokenizer_path"] == str(run / "checkpoint-0")


def test_for_people_and_again(call, run, texts):
    code, out, said = call("losses", run, "--data", texts)
    assert code == 0, said
    assert len(out.splitlines()) <= 24
    for words in ("mean loss", "noise floor", "Problem: steps 20, 40 hold the same weights", "losses.zarr"):
        assert words in out
    code, detailed, _ = call("losses", run, "--data", texts, "--details")
    assert code == 0
    for words in ("documents joined", "Intervals: ", "Noise floor: mean |difference|"):
        assert words in detailed
    again = call("losses", run, "--data", texts)
    assert again[:2] == (0, out)


def test_damaged_losses_are_refused_by_others_and_measured_again(call, run, texts):
    arguments = ("losses", run, "--data", texts, "--json")
    assert call(*arguments)[0] == 0
    chunk = run / "zerosum" / "losses.zarr" / "loss" / "c" / "2" / "0" / "0"
    chunk.unlink()
    code, out, said = call("interference", run)
    assert (code, out, len(said.splitlines())) == (2, "", 1)
    assert "loss/c/2/0/0 is missing. Start the same zerosum losses command again" in said
    code, out, said = call(*arguments)
    assert code == 0, said
    problems = one_document(out)["runs"][0]["problems"]
    assert [(p["code"], p["steps"]) for p in problems] == [("identical-weights", [20, 40]), ("measured-again", [20])]
    assert call("interference", run)[0] == 0


def test_gaps_are_said(call, run, texts, tmp_path):
    sources = [f"{run / 'checkpoint-0'}@{step}" for step in (10, 20, 30, 60, 70)]
    arguments = ("losses", *sources, "--data", texts, "--max-sequences", 2, "--store", tmp_path / "s")
    code, out, said = call(*arguments, "--json")
    assert code == 0, said
    assert one_document(out)["runs"][0]["gaps"] == [[30, 60]]
    assert "missing between steps 30 and 60" in " ".join(call(*arguments)[1].split())


def test_single_checkpoints_are_one_run(call, run, texts, tmp_path):
    folders = [run / f"checkpoint-{step}" for step in (20, 0)]
    code, out, said = call("losses", *folders, "--data", texts, "--store", tmp_path / "s", "--dtype", "bf16", "--json")
    assert code == 0, said
    (found,) = one_document(out)["runs"]
    assert [row["step"] for row in found["checkpoints"]] == [0, 20]
    assert found["dtype"] == "bfloat16"
    assert zerosum.open_store(tmp_path / "s").sizes["checkpoint"] == 2


def test_one_bad_source_does_not_lose_the_other(call, run, texts, tmp_path):
    code, out, said = call("losses", tmp_path / "nothing", run, "--data", texts, "--json")
    assert code == 2
    document = one_document(out)
    assert len(document["runs"]) == 1
    assert "nothing" in document["errors"][0]["message"]
    assert "1 of 2 sources could not be used; the others are complete" in said


def wrong(call, *arguments):
    code, out, said = call("losses", *arguments)
    assert (code, out) == (2, "")
    lines = [line for line in said.splitlines() if "done in" not in line]
    assert len(lines) == 1
    assert lines[0].startswith("zerosum: ")
    return lines[0]


def test_wrong_calls_and_data_are_one_line(call, run, texts, tmp_path):
    (tmp_path / "ids.npy").write_bytes(b"")
    np.save(tmp_path / "large.npy", np.array([[1, 300, 2]]))
    (tmp_path / "empty.txt").touch()
    assert "its held-out text is not known. Give texts: --data DATA." in wrong(call, run)
    assert "no such file" in wrong(call, run, "--data", tmp_path / "gone.txt")
    assert "not a complete array" in wrong(call, run, "--data", tmp_path / "ids.npy")
    assert "vocabulary is 0 to 256" in wrong(call, run, "--data", tmp_path / "large.npy")
    assert "nothing to predict" in wrong(call, run, "--data", tmp_path / "empty.txt")
    assert "context is 16" in wrong(call, run, "--data", texts, "--sequence-length", 17)
    assert "--tokens-per-batch none: give a positive" in wrong(call, run, "--data", texts, "--tokens-per-batch", "none")
    assert "--dtype int8: not a precision. Choose one of float32," in wrong(
        call, run, "--data", texts, "--dtype", "int8"
    )
    assert "--device nowhere: not usable" in wrong(call, run, "--data", texts, "--device", "nowhere")
    assert not (run / "zerosum").exists()
    assert "one store for 2 runs" in wrong(call, run, run, "--data", texts, "--store", tmp_path / "s")


def test_a_store_of_other_tokens_is_kept(call, run, texts):
    assert call("losses", run, "--data", texts)[0] == 0
    before = zerosum.open_store(run / "zerosum" / "losses.zarr").load()
    named = ("--store", run / "zerosum" / "losses.zarr")
    assert "made with other tokens" in wrong(call, run, "--data", texts, "--max-sequences", 3, *named)
    assert "made with another --dtype" in wrong(call, run, "--data", texts, "--dtype", "bfloat16", *named)
    others = []
    for options in (("--max-sequences", 3), ("--dtype", "bfloat16"), ("--also", "entropy"), ("--max-sequences", 3)):
        code, out, said = call("losses", run, "--data", texts, *options, "--json")
        assert code == 0, said
        others.append(one_document(out)["runs"][0]["store"])
    assert others[0] == others[3]
    assert len(set(others)) == 3
    assert all(re.fullmatch(r"losses-[0-9a-f]{8}\.zarr", Path(store).name) for store in others)
    assert "losses.zarr beside it" in call("losses", run, "--data", texts, "--max-sequences", 3)[1]
    assert zerosum.open_store(run / "zerosum" / "losses.zarr").load().identical(before)
    save_checkpoint(run, 80, tiny_model(seed=9, vocab_size=VOCABULARY, max_position_embeddings=CONTEXT))
    (run / "checkpoint-80").rename(run / "checkpoint-40b")
    copy = f"{run / 'checkpoint-40b'}@40"  # other weights of a step
    code, out, said = call("losses", copy, "--data", texts, "--tokenizer", run / "checkpoint-0", "--json")
    shutil.rmtree(run / "checkpoint-40b")
    assert code == 0, said
    assert one_document(out)["runs"][0]["store"] not in others
    assert zerosum.open_store(run / "zerosum" / "losses.zarr").load().identical(before)
