"""What counts as a checkpoint of a run, and what is said where there is none."""

import json

import pytest

from zerosum import InputError
from zerosum.checkpoints import load_model, open_run


def write_checkpoint(folder, weights=b"weights"):
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(weights)


def test_sorted_by_step_and_only_complete_ones(tmp_path):
    for name in ("checkpoint-16", "checkpoint-2", "checkpoint-0", "checkpoint-4.part", "checkpoint-best", "other-8"):
        write_checkpoint(tmp_path / name)
    rows = [{"step": 1, "tokens_seen": 10, "loss": 5.0}, {"step": 2, "tokens_seen": 20, "loss": 4.0}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"step": 16, "tok')
    run = open_run(tmp_path)
    assert [(c.step, c.tokens_seen) for c in run.checkpoints] == [(0, 0), (2, 20), (16, None)]


def test_a_checkpoint_without_weights_is_not_passed_over(tmp_path):
    write_checkpoint(tmp_path / "checkpoint-16")
    (tmp_path / "checkpoint-32").mkdir()
    (tmp_path / "checkpoint-64.part").mkdir()
    with pytest.raises(InputError, match=r"checkpoint-32: no model\.safetensors in it"):
        open_run(tmp_path)


def test_weight_hash_tells_weights_apart(tmp_path):
    write_checkpoint(tmp_path / "checkpoint-1", b"a")
    write_checkpoint(tmp_path / "checkpoint-2", b"b")
    write_checkpoint(tmp_path / "checkpoint-4", b"b")
    one, two, four = (c.weight_hash() for c in open_run(tmp_path).checkpoints)
    assert one != two == four


def test_no_run_here(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: not a folder"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no checkpoint-<step> folder"):
        open_run(tmp_path)


def test_truncated_weights_are_one_line(tmp_path):
    pytest.importorskip("transformers")
    write_checkpoint(tmp_path / "checkpoint-1", b"torn")
    (tmp_path / "checkpoint-1" / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 8}))
    with pytest.raises(InputError, match=r"checkpoint-1: this model does not load") as caught:
        load_model(open_run(tmp_path).checkpoints[0])
    assert "\n" not in str(caught.value)
