"""`zerosum step` as a user calls it."""

import shutil

import numpy as np
import pytest
from called import call, one_document  # noqa: F401 (a fixture)
from tiny import parameter_groups, tiny_model

VOCABULARY = 60
ADAMW = ("--optimizer", "adamw:lr=1e-3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A checkpoint whose optimizer's state was saved as Trainer does, one without, and token ids for both."""
    import torch

    home = tmp_path_factory.mktemp("step")
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    model = tiny_model(vocab_size=VOCABULARY, max_position_embeddings=16, **sizes)
    for name in ("checkpoint-5", "bare-7"):
        model.save_pretrained(home / name)
    optimizer = torch.optim.AdamW(parameter_groups(model, weight_decay=(0.1, 0.0)), lr=2e-3, betas=(0.9, 0.95))
    ids = torch.as_tensor(np.random.default_rng(0).integers(0, VOCABULARY, (8, 13)))
    for _ in range(5):
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    torch.save(optimizer.state_dict(), home / "checkpoint-5" / "optimizer.pt")
    rng = np.random.default_rng(1)
    np.save(home / "train.npy", rng.integers(0, VOCABULARY, (100, 13)))
    np.save(home / "eval.npy", rng.integers(0, VOCABULARY, (24, 13)))
    return home


def step(call, folder, *more, checkpoint="checkpoint-5", columns=120):  # noqa: F811
    data = ("--train", folder / "train.npy", "--data", folder / "eval.npy")
    return call("step", folder / checkpoint, *data, *more, columns=columns)


def test_json_agrees_with_the_same_step_taken_by_hand(call, folder):  # noqa: F811
    import torch

    from zerosum.checkpoints import load_model
    from zerosum.interference import net_ratio
    from zerosum.losses import token_losses

    files = {path.name: path.read_bytes() for path in (folder / "checkpoint-5").iterdir()}
    code, out, _ = step(call, folder, "--batch-size", 10, "--batches", 2, "--clip", 0.5, "--json")
    assert code == 0
    document = one_document(out)
    assert document["errors"] == []
    [found] = document["steps"]
    assert found["step"] == 5
    assert found["optimizer"]["state"] == "optimizer.pt"
    assert (found["optimizer"]["lr"], found["optimizer"]["clip"], found["batch_size"]) == (2e-3, 0.5, 10)
    assert {path.name: path.read_bytes() for path in (folder / "checkpoint-5").iterdir()} == files

    model = load_model(folder / "checkpoint-5")
    ids = np.load(folder / "train.npy")[found["sequences"][1]]
    held_out = np.load(folder / "eval.npy")
    before = [token_losses(model, rows) for rows in (ids, held_out)]
    groups = [[one for one in model.parameters() if one.ndim == n] for n in (2, 1)]
    optimizer = torch.optim.AdamW([{"params": group} for group in groups])
    optimizer.load_state_dict(torch.load(folder / "checkpoint-5" / "optimizer.pt", weights_only=True))
    model(input_ids=torch.as_tensor(ids), labels=torch.as_tensor(ids)).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
    optimizer.step()
    for split, rows, losses in zip(("batch", "heldout"), (ids, held_out), before, strict=True):
        x = token_losses(model, rows).astype(np.float64) - losses
        one = next(row for row in found["batches"] if (row["batch"], row["split"]) == (1, split))
        assert one["N"] == x.size
        assert one["R"] == pytest.approx(float(net_ratio(x.ravel())), abs=1e-4)
        assert one["M"] == pytest.approx(np.abs(x).mean(), rel=1e-4)
        assert one["loss_before"] == pytest.approx(losses.mean(), abs=1e-5)


def test_assumptions_are_stated(call, folder):  # noqa: F811
    code, out, _ = step(call, folder)
    assert code == 0
    words = " ".join(out.split())
    assert "AdamW (optimizer.pt): lr 0.002, beta1 0.9, beta2 0.95" in words
    assert "32 sequences assumed" in words
    assert "largest norm 1.0 assumed" in words
    assert "gives 3 of 8 batches" in words
    assert "Means over 3 batches" in words
    assert "read each row against its own chance" in words
    assert "Training batch" in words
    assert "held-out" in words


def test_a_single_batch_and_a_narrow_terminal(call, folder):  # noqa: F811
    code, out, _ = step(call, folder, "--batches", 1, "--clip", 0, *ADAMW, checkpoint="bare-7@7", columns=80)
    words = " ".join(out.split())
    assert code == 0
    assert "no saved state" in words
    assert "no clipping" in words
    assert "sign of its gradient" in words
    assert "intervals over sequences of the one batch" in words or "over documents of the one batch" in words
    code, out, _ = step(call, folder, "--batches", 1, *ADAMW, "--details", checkpoint="bare-7@7")
    assert "Each batch" in out


def test_out_writes_a_page_with_its_files(call, folder, tmp_path):  # noqa: F811
    code, out, err = step(call, folder, "--batches", 2, "--out", tmp_path / "out", "--json")
    assert (code, err) == (0, "")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written >= {"steps.html", "steps.json", "step_means.csv", "step_means.tex", "figures"}
    page = {"report": str(tmp_path / "out" / "steps.html")}
    assert one_document((tmp_path / "out" / "steps.json").read_text()) | page == one_document(out)
    (tmp_path / "file").write_text("")
    code, out, err = step(call, folder, "--batches", 2, "--out", tmp_path / "file")
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--optimizer", "adagrad:lr=1"), "--optimizer adagrad:lr=1"),
        (("--batches", "4"), "too few for 4 batches of 32"),
        (("--tokens-per-batch", "none"), "--tokens-per-batch none"),
        (("--clip", "-1"), "--clip -1"),
        (("--optimizer", "saved:lr=0"), "schedule had ended"),
    ],
)
def test_wrong_calls_are_one_line(call, folder, more, words):  # noqa: F811
    code, out, err = step(call, folder, *more)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.strip().splitlines()) == 1


def test_errors_in_json(call, folder):  # noqa: F811
    code, out, _ = step(call, folder, "--json", checkpoint="bare-7@7")
    document = one_document(out)
    assert code == 2
    assert document["steps"] == []
    assert "no optimizer state beside the weights" in document["errors"][0]["message"]
    code, out, _ = call("step", folder / "checkpoint-5", "--train", folder / "none.npy", "--data", folder / "eval.npy")
    assert (code, out) == (2, "")


def test_ids_beyond_the_vocabulary_and_sequences_beyond_the_context(call, folder, tmp_path):  # noqa: F811
    np.save(tmp_path / "large.npy", np.full((40, 13), VOCABULARY))
    np.save(tmp_path / "long.npy", np.zeros((40, 30), dtype=int))
    for name, words in (("large", "vocabulary is 0 to 59"), ("long", "the model's context is 16")):
        code, _, err = call(
            "step", folder / "checkpoint-5", "--train", folder / "train.npy", "--data", tmp_path / f"{name}.npy"
        )
        assert code == 2
        assert words in err


def test_a_run_of_several_checkpoints(call, folder, tmp_path):  # noqa: F811
    for name in ("checkpoint-5", "checkpoint-6"):
        shutil.copytree(folder / "checkpoint-5", tmp_path / name)
    code, _, err = call("step", tmp_path, "--train", folder / "train.npy", "--data", folder / "eval.npy")
    assert code == 2
    assert "2 checkpoints (checkpoint-5, checkpoint-6). Give one of them" in err


def test_who_harms_whom_is_answered_kept_and_reported(call, folder, tmp_path):  # noqa: F811
    from zerosum.interference.labelled import HarmMatrices, read_harms
    from zerosum.runs import read_run
    from zerosum.sharing import ResultCache

    shutil.copytree(folder / "checkpoint-5", tmp_path / "run" / "checkpoint-5")
    data = ("--train", folder / "train.npy", "--data", folder / "eval.npy", "--by", "position", "--batches", 1)
    more = ("--batch-size", 4, "--out", tmp_path / "out", "--json")
    code, out, _ = call("step", tmp_path / "run" / "checkpoint-5", *data, *more)
    assert code == 0
    assert {"harms_position_real.csv", "figures", "steps.html"} <= {path.name for path in (tmp_path / "out").iterdir()}
    [found] = one_document(out)["steps"]
    assert [group["name"] for group in found["groups"]] == ["1", "2-3", "4-7", "8-15"]
    assert len(found["real"]) == 6 * 5
    kept = read_harms(tmp_path / "run" / "zerosum" / "harms")
    assert [matrix.to_json() for matrix in kept.matrices] == [
        found | {"source": str(tmp_path / "run" / "checkpoint-5")}
    ]
    assert read_run(tmp_path / "run").get(HarmMatrices) == kept
    assert len(repr(kept.matrices[0]).splitlines()) <= 12
    assert repr(kept.matrices[0]).startswith("By position: a step ")
    harms = tmp_path / "run" / "zerosum" / "harms"
    (file,) = harms.glob("*.json")
    older = ResultCache(harms, {"format": 1, "by": "domain", "step": 5})
    older.add("step-5-domain", {})
    code, _, err = call("report", tmp_path / "run")
    assert (code, "step-5-domain.json is of another version of zerosum" in err) == (2, True)
    older.file("step-5-domain").unlink()
    file.write_text(file.read_text().replace("position", "positron", 1))
    code, _, err = call("report", tmp_path / "run")
    assert (code, "has changed since it was written" in err) == (2, True)


def test_one_domain_is_refused_with_the_remedy(call, folder):  # noqa: F811
    code, out, err = step(call, folder, "--by", "domain")
    assert (code, out) == (2, "")
    assert "the training text has no known domain. Give several --train" in err
    assert len(err.strip().splitlines()) == 1
