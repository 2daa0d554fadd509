"""Finding the checkpoints of a run, their steps and tokens, and the errors where there is none."""

import json
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest

from zerosum import InputError
from zerosum.checkpoints import find_checkpoints, load_model, open_run
from zerosum.checkpoints.names import NAMES, ParsedName, parse_name
from zerosum.checkpoints.problems import gaps
from zerosum.missing import UNKNOWN_STEP


def safetensors(values):
    """A safetensors file of one float32 vector, written by hand after the format's description."""
    content = np.asarray(values, dtype="<f4").tobytes()
    header = json.dumps({"w": {"dtype": "F32", "shape": [len(values)], "data_offsets": [0, len(content)]}}).encode()
    return struct.pack("<Q", len(header)) + header + content


def write_checkpoint(folder, weights=None, **trainer_state):
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(safetensors([1.0, 2.0]) if weights is None else weights)
    if trainer_state:
        (folder / "trainer_state.json").write_text(json.dumps(trainer_state))
    return folder


def steps_and_tokens(run):
    return [(checkpoint.step, checkpoint.tokens_seen) for checkpoint in run.checkpoints]


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("checkpoint-500", ParsedName(500)),
        ("step1000", ParsedName(1000)),
        ("step-1000", ParsedName(1000)),
        ("step0", ParsedName(0, 0)),
        ("step1000-unsharded", ParsedName(1000)),
        ("step651595-tokens1T", ParsedName(651595, 10**12)),
        ("step1000-tokens4B-unsharded", ParsedName(1000, 4 * 10**9)),
        ("stage1-step10000-tokens21B", ParsedName(10000, 21 * 10**9, "stage1")),
        ("stage2-ingredient3-step2000-tokens5B", ParsedName(2000, 5 * 10**9, "stage2-ingredient3")),
        ("global_step1000", ParsedName(1000)),
        ("epoch=1-step=16.ckpt", ParsedName(16)),
        ("tiny-epoch=0-step=8-v2.ckpt", ParsedName(8)),
        ("step=8.ckpt", ParsedName(8)),
        ("ckpt.pt", ParsedName(None)),
        ("last.ckpt", ParsedName(None)),
        ("ckpt_1000.pt", ParsedName(1000)),
        *((name, None) for name in ("main", "checkpoint-best", "checkpoint-4.part", "step", "steps10", "optimizer.pt")),
        *(
            (name, None)
            for name in ("checkpoint-500\n", "checkpoint-١٢", "checkpoint--5", "step1e3", "step" + "9" * 16)
        ),
    ],
)
def test_names(name, parsed):
    assert parse_name(name) == parsed


def test_every_example_in_the_table_can_be_parsed():
    assert all(parse_name(example) is not None for _, example, _ in NAMES)


def test_complete_checkpoints_sorted_by_step(tmp_path):
    for name in ("checkpoint-16", "checkpoint-2", "checkpoint-0", "checkpoint-4.part", "checkpoint-best", "other-8"):
        write_checkpoint(tmp_path / name)
    rows = [{"step": 1, "tokens_seen": 10, "loss": 5.0}, {"step": 2, "tokens_seen": 20, "loss": 4.0}]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)) + '\n{"step": 16, "tok')
    run = open_run(tmp_path)
    assert steps_and_tokens(run) == [(0, 0), (2, 20), (16, None)]


def test_tokens_are_unknown_where_the_trainer_did_not_count_them(tmp_path):
    write_checkpoint(tmp_path / "checkpoint-2", global_step=2, num_input_tokens_seen=512)
    write_checkpoint(tmp_path / "checkpoint-4", global_step=4, num_input_tokens_seen=0)
    assert steps_and_tokens(open_run(tmp_path)) == [(2, 512), (4, None)]


def test_single_checkpoint_and_lists(tmp_path):
    named = write_checkpoint(tmp_path / "a" / "step1000-tokens4B")
    with_state = write_checkpoint(tmp_path / "b" / "mine", global_step=7)
    unnamed = write_checkpoint(tmp_path / "b" / "unnamed")
    assert steps_and_tokens(open_run(named)) == [(1000, 4 * 10**9)]
    run = find_checkpoints([named, str(with_state), f"{unnamed}@12"])
    assert [checkpoint.path for checkpoint in run.checkpoints] == [with_state, unnamed, named]
    assert [checkpoint.step for checkpoint in run.checkpoints] == [7, 12, 1000]
    assert run.path == tmp_path
    (alone,) = open_run(unnamed).checkpoints
    assert (alone.step, alone.known_step) == (UNKNOWN_STEP, None)
    with pytest.raises(InputError, match=r"neither its name nor its files state the step.*unnamed@STEP"):
        find_checkpoints([unnamed, named])
    with pytest.raises(InputError, match="no checkpoint given"):
        find_checkpoints([])


def test_a_checkpoint_beside_its_own_shards_and_optimizer(tmp_path):
    """DeepSpeed writes its state into the checkpoint; OLMo writes a sharded step1000 beside step1000-unsharded."""
    (write_checkpoint(tmp_path / "checkpoint-500") / "global_step500").mkdir()
    assert steps_and_tokens(open_run(tmp_path / "checkpoint-500")) == [(500, None)]
    write_checkpoint(tmp_path / "step1000-unsharded")
    (tmp_path / "step1000").mkdir()
    assert steps_and_tokens(open_run(tmp_path)) == [(500, None), (1000, None)]


def test_a_checkpoint_without_weights_is_an_error(tmp_path):
    write_checkpoint(tmp_path / "checkpoint-16")
    (tmp_path / "checkpoint-32").mkdir()
    (tmp_path / "checkpoint-64.part").mkdir()
    with pytest.raises(InputError, match=r"checkpoint-32: no model\.safetensors in it"):
        open_run(tmp_path)
    (tmp_path / "checkpoint-32" / "shard.distcp").touch()
    with pytest.raises(InputError, match=r"checkpoint-32: a sharded checkpoint"):
        open_run(tmp_path)


def test_two_checkpoints_of_one_step_and_two_stages(tmp_path):
    write_checkpoint(tmp_path / "checkpoint-16")
    write_checkpoint(tmp_path / "step16")
    with pytest.raises(InputError, match=r"checkpoint-16: step 16, and .*step16 is of the same step"):
        open_run(tmp_path)
    shutil.rmtree(tmp_path / "step16")
    write_checkpoint(tmp_path / "stage2-step20-tokens1B")
    with pytest.raises(InputError, match=r"several stages \(none, stage2\)"):
        open_run(tmp_path)


def test_no_checkpoint_here(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: not a folder"):
        open_run(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no checkpoint-<step> folder"):
        open_run(tmp_path)
    (tmp_path / "ckpt.pt").write_bytes(b"not a zip file")
    with pytest.raises(InputError, match=r"ckpt\.pt: not a checkpoint file of a known kind"):
        open_run(tmp_path)


def test_identical_weights_are_reported(tmp_path):
    for step, last in ((1, 2.0), (2, 3.0), (4, 3.0), (8, 4.0)):
        write_checkpoint(tmp_path / f"checkpoint-{step}", safetensors([1.0, last]))
    run = open_run(tmp_path)
    (problem,) = run.problems
    assert (problem.code, problem.steps) == ("identical-weights", (2, 4))
    assert "2, 4" in problem.message
    write_checkpoint(tmp_path / "checkpoint-16", safetensors([1.0, 5.0]))
    assert len(run.problems) == 1
    shutil.rmtree(tmp_path / "checkpoint-4")
    assert open_run(tmp_path).problems == ()


@pytest.mark.parametrize(
    "files",
    [
        {"tokenizer.json": {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [{"id": 8, "content": "<pad>"}]}},
        {"tokenizer.json": {"model": {"vocab": [["a", -1.0]] * 9}}},
        {"vocab.json": {"a": 0, "b": 5}, "added_tokens.json": {"<pad>": 8}},
    ],
)
def test_tokenizer_of_another_model_is_reported(tmp_path, files):
    for step, vocab_size in ((1, 8), (2, 9)):
        folder = write_checkpoint(tmp_path / f"checkpoint-{step}", safetensors([step, 0.0]))
        (folder / "config.json").write_text(json.dumps({"vocab_size": vocab_size}))
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content))
    problem, other = open_run(tmp_path).problems
    assert (problem.code, problem.steps) == ("tokenizer-does-not-fit", (1,))
    assert (other.code, other.steps) == ("other-configuration", (2,))
    assert "token ids up to 8, but the model has a vocabulary of 8:" in problem.message


def test_gaps_are_listed(tmp_path):
    for step in (0, 100, 200, 400, 500):
        write_checkpoint(tmp_path / f"checkpoint-{step}")
    assert open_run(tmp_path).gaps == ((200, 400),)
    pythia = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, *range(1000, 144_000, 1000)]
    assert gaps(pythia) == ()
    assert gaps([step for step in pythia if step not in (64, 50_000, 51_000)]) == ((32, 128), (49_000, 52_000))
    assert gaps([1, 5]) == gaps([]) == ()


@pytest.mark.parametrize("name", ["a_name/that-is-nowhere", "a_name/that-is-nowhere@step1"])
def test_neither_here_nor_on_the_hub(name, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")

    def unreachable(*args, **options):
        raise ConnectionError("no network\nof many lines")

    monkeypatch.setattr(hub.HfApi, "list_repo_refs", unreachable)
    monkeypatch.setattr(hub.HfApi, "list_repo_files", unreachable)
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(InputError, match="no folder here, and the hub cannot be reached") as caught:
        open_run(name).checkpoints[0].weight_hash()
    assert "\n" not in str(caught.value)


def test_truncated_weights_are_one_line(tmp_path):
    pytest.importorskip("transformers")
    complete = safetensors(range(8))
    for weights, message in (
        (b"torn", "truncated, or not"),
        (complete[:-1], r"truncated: \d+ of \d+ bytes"),
        (b"", "truncated"),
    ):
        shutil.rmtree(tmp_path / "checkpoint-1", ignore_errors=True)
        folder = write_checkpoint(tmp_path / "checkpoint-1", weights)
        (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 8}))
        checkpoint = open_run(tmp_path).checkpoints[0]
        for read in (checkpoint.weight_hash, lambda checkpoint=checkpoint: load_model(checkpoint)):
            with pytest.raises(InputError, match=rf"checkpoint-1.model\.safetensors: {message}") as caught:
                read()
            assert "\n" not in str(caught.value)


def test_finding_and_hashing_need_no_torch(tmp_path):
    write_checkpoint(tmp_path / "checkpoint-1")
    script = (
        f"import sys; from zerosum.checkpoints import open_run; open_run({str(tmp_path)!r}).problems;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_broken_checkpoint_beside_a_finished_model(tmp_path):
    """The Trainer saves the last model in the run directory itself; that does not hide a broken checkpoint."""
    write_checkpoint(tmp_path / "run")
    write_checkpoint(tmp_path / "run" / "checkpoint-16")
    (tmp_path / "run" / "checkpoint-32").mkdir()
    with pytest.raises(InputError, match=r"checkpoint-32: no model\.safetensors"):
        open_run(tmp_path / "run")


@pytest.mark.parametrize("source", ["x" * 5000, "a\0b", "", "a/b/c", "a/b@", "@5", "nope@5"])
def test_sources_that_do_not_exist(source):
    with pytest.raises(InputError, match=r"not a folder or file|no checkpoint-<step> folder"):
        open_run(source)
