"""Averages made of checkpoints that are there: the mean of their weights, and one line for what cannot be averaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import save_checkpoint, save_run, tiny_model

from zerosum import InputError
from zerosum.checkpoints import described, load_model, open_run, parse_average

torch = pytest.importorskip("torch")
STEPS = (0, 5, 10, 15, 20, 40)
OLMO = Path(__file__).parent / "olmo_native" / "llama-block"


@pytest.fixture
def run(tmp_path):
    """As Hugging Face's Trainer writes it, with a tied matrix."""
    return save_run(tmp_path / "run", STEPS, tie_word_embeddings=True)


def require_mean(checkpoint, folders):
    models = [load_model(folder) for folder in folders]
    for name, weight in load_model(checkpoint).named_parameters():
        mean = sum(model.get_parameter(name).double() for model in models) / len(models)
        torch.testing.assert_close(weight.double(), mean, atol=1e-7, rtol=0)


def test_the_last_steps_of_a_foreign_run(run):
    averaged = open_run(run, average="last:10")
    assert averaged.average == "last-10"
    windows = {point.step: point.averaged.steps for point in averaged.checkpoints}
    assert windows == {0: (0,), 10: (5, 10), 15: (10, 15), 20: (15, 20)}
    assert averaged.not_averaged == (5, 40)
    for point in averaged.checkpoints:
        require_mean(point, [run / f"checkpoint-{step}" for step in windows[point.step]])
    head = load_model(averaged.checkpoints[-1])
    assert head.lm_head.weight is head.model.embed_tokens.weight
    assert "means of 1 to 2 of them (the last ones: 15, 20)" in described([p.averaged for p in averaged.checkpoints])
    assert len({point.weight_hash() for point in averaged.checkpoints}) == 4


def test_a_list_of_steps_is_one_point(run):
    averaged = open_run(run, average="5, 40,10")
    (point,) = averaged.checkpoints
    assert averaged.not_averaged == ()
    assert (point.step, point.averaged.number) == (40, 3)
    require_mean(point, [run / f"checkpoint-{step}" for step in (5, 10, 40)])


def test_files_are_made_once_and_again_where_weights_change(run):
    (point,) = open_run(run, average="5,10").checkpoints
    file = point.path / "model.safetensors"
    made, before = file.stat().st_mtime_ns, point.weight_hash()
    open_run(run, average="5,10")
    assert file.stat().st_mtime_ns == made
    save_checkpoint(run, 10, tiny_model(seed=99, tie_word_embeddings=True))
    assert open_run(run, average="5,10").checkpoints[0].weight_hash() != before


def test_half_precision_is_averaged_in_float32(tmp_path):
    for step in (1, 2):
        save_checkpoint(tmp_path, step, tiny_model(seed=step).bfloat16())
    (point,) = open_run(tmp_path, average="1,2").checkpoints
    require_mean(point, [tmp_path / "checkpoint-1", tmp_path / "checkpoint-2"])
    assert {str(tensor.dtype) for tensor in point.weights().tensors().values()} == {"torch.float32"}


@pytest.mark.parametrize(
    ("average", "words"),
    [
        ("last:4", "no step has two checkpoints within its last 4 steps. .* --set averages=last:4"),
        ("ema:0.9", "no average ema:0.9 was saved, .* --set averages=ema:0.9"),
        ("5,7", "no checkpoint of step 7 to average"),
        ("5", "nothing to average"),
        ("last:0", "at least 2"),
        ("ema:1.5", "between 0 and 1"),
        ("mean", "not known. Write last:K"),
    ],
)
def test_what_cannot_be_averaged_is_one_line(run, average, words):
    with pytest.raises(InputError, match=words) as refused:
        open_run(run, average=average)
    assert "\n" not in str(refused.value)


def rename(folder, before, after):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {before: after}))


def test_different_models_are_not_averaged(run):
    cases = {
        "different sizes": lambda: save_checkpoint(run, 10, tiny_model(hidden_size=16, tie_word_embeddings=True)),
        "type 'qwen3'": lambda: save_checkpoint(run, 10, tiny_model("qwen3", tie_word_embeddings=True)),
        "cannot be averaged: other settings": lambda: rename(run / "checkpoint-10", "rms_norm_eps", 0.5),
        "another tokenizer": lambda: [(run / f"checkpoint-{k}" / "tokenizer.json").write_text(str(k)) for k in (5, 10)],
    }
    for words, damage in cases.items():
        save_checkpoint(run, 10, tiny_model(seed=10, tie_word_embeddings=True))
        damage()
        with pytest.raises(InputError, match=words):
            open_run(run, average="5,10,15")
    assert not (run / "zerosum").exists()


def test_a_link_out_of_the_folder_is_not_followed(run, tmp_path):
    (tmp_path / "secret").write_text("{}")
    (run / "checkpoint-10" / "tokenizer_config.json").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="leads out of the folder"):
        open_run(run, average="5,10")
    assert not list((run / "zerosum").rglob("checkpoint-*"))


def test_any_form_is_read_as_it_is_written():
    for number in np.random.default_rng(0).uniform(0, 1, 20):
        form = parse_average(f"ema:{float(number)!r}")
        assert form.decay == number
        assert parse_average(form.text) == form
    for size in (2, 64, 10**9):
        assert parse_average(parse_average(f"last:{size}").text).last == size


@pytest.mark.parametrize("pickled", [False, True], ids=["safetensors", "model.pt"])
def test_folders_of_olmo(tmp_path, pickled):
    from safetensors.torch import load_file, save_file

    folders = [tmp_path / f"step{step}-unsharded" for step in (5, 10)]
    for number, folder in enumerate(folders):
        shutil.copytree(OLMO, folder)
        file = folder / "model.safetensors"
        weights = {name: weight + 0.05 * number * torch.randn(weight.shape) for name, weight in load_file(file).items()}
        if pickled:
            file.unlink()
            torch.save(weights, folder / "model.pt")
        else:
            save_file(weights, file)
    (point,) = open_run(tmp_path, average="5,10").checkpoints
    require_mean(point, folders)
