"""Settings that are not those of the weights: a problem that is said, and such a checkpoint is not compared."""

import json
import shutil

import numpy as np
import pytest
from tiny import MOVED_SIZES, VOCABULARY, save_run, tiny_model

from zerosum import InputError
from zerosum.checkpoints import load_model, open_run, other_configurations, unused_weights
from zerosum.dissent._over_training import over_training
from zerosum.dissent.run import RunMeasurement as DissentOfRun
from zerosum.gradients import GradientsOverTraining
from zerosum.gradients.run import Choice, RunMeasurement, SameTokens, difference_to
from zerosum.interference.labelled import measure_store
from zerosum.losses import measure_losses
from zerosum.tokens import TokenSequences

pytest.importorskip("torch")
pytest.importorskip("transformers")

STEPS = (1, 2, 4, 8)
EDITS = {  # what somebody changes in the configuration of one checkpoint, whose weights have the same shapes
    "rope": {"rope_theta": 500_000.0, "rope_parameters": {"rope_type": "default", "rope_theta": 500_000.0}},
    "heads": {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8},
    "norm": {"rms_norm_eps": 0.5},
    "activation": {"hidden_act": "gelu"},
}
HARMLESS = {"use_cache": False, "transformers_version": "4.30.0", "torch_dtype": "float16", "bos_token_id": 3}


def edit(checkpoint, **settings):
    file = checkpoint / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | settings))


def problems(run):
    return [(problem.code, problem.steps) for problem in open_run(run).problems]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return save_run(tmp_path_factory.mktemp("saved"), STEPS, **MOVED_SIZES)


@pytest.fixture
def run(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


@pytest.fixture(scope="module")
def tokens():
    ids = np.random.default_rng(0).integers(0, VOCABULARY, (24, 6))
    return TokenSequences(ids, np.arange(24), tuple(map(str, range(24))))


@pytest.mark.parametrize("settings", EDITS.values(), ids=EDITS)
def test_another_configuration_is_named(run, settings):
    assert problems(run) == []
    edit(run / "checkpoint-4", **settings)
    (problem,) = open_run(run).problems
    assert (problem.code, problem.steps) == ("other-configuration", (4,))
    assert f"{next(iter(settings))} " in problem.message or "rope_theta 500000.0, not 10000.0" in problem.message
    assert "than at step 1" in problem.message
    assert "\n" not in problem.message


def test_settings_that_change_no_loss_do_not_count(run):
    edit(run / "checkpoint-2", **HARMLESS, attention_dropout=0.3)
    edit(run / "checkpoint-4", transformers_version="4.40.0", a_setting_of_later_versions=True)
    assert problems(run) == []


def test_most_checkpoints_are_right_and_of_equal_numbers_the_first(run):
    for step in (1, 2):
        edit(run / f"checkpoint-{step}", rms_norm_eps=0.5)
    assert problems(run) == [("other-configuration", (4, 8))]
    edit(run / "checkpoint-4", rms_norm_eps=0.5)
    assert problems(run) == [("other-configuration", (8,))]


def test_hostile_configurations_are_text(tmp_path):
    for step in (1, 2):
        (tmp_path / f"c{step}").mkdir()
    deep = '{"a":' * 400 + "1" + "}" * 400
    (tmp_path / "c1" / "config.json").write_text(deep)
    (tmp_path / "c2" / "config.json").write_text(json.dumps({"a": "\x1b[2J\n" * 900, "b" * 900: [1] * 900}))
    (problem,) = other_configurations({1: tmp_path / "c1", 2: tmp_path / "c2"})
    assert problem.message.isascii()
    assert problem.message.isprintable()
    assert len(problem.message) < 500
    (tmp_path / "c2" / "config.json").write_text("[]")
    assert other_configurations({1: tmp_path / "c1", 2: tmp_path / "c2"}) == []


def test_fewer_layers_than_the_file_has(run):
    edit(run / "checkpoint-2", num_hidden_layers=1)
    whole, fewer = (load_model(run / f"checkpoint-{step}") for step in (1, 2))
    assert unused_weights(whole) == ""
    assert unused_weights(fewer).startswith("9 of its weights have no place in the model that its settings describe")


@pytest.mark.parametrize("family", ["gpt2", "gpt_neo", "opt", "qwen3"])
def test_whole_models_leave_no_weight_unused(tmp_path, family):
    """Tied heads and constants that are saved, too, are none."""
    tiny_model(family, ffn_dim=8, word_embed_proj_dim=8, attention_types=[[["global"], 1]]).save_pretrained(tmp_path)
    assert unused_weights(load_model(tmp_path)) == ""


def test_losses_of_such_checkpoints_are_in_no_summary(run, tokens, tmp_path):
    edit(run / "checkpoint-2", rms_norm_eps=0.5)
    edit(run / "checkpoint-4", num_hidden_layers=1)
    found = open_run(run)
    for _ in range(2):  # also from the finished store
        store = measure_losses(tmp_path / "s", found.checkpoints, tokens)
        known = {problem["code"]: problem["steps"] for problem in store.attrs["problems"]}
        assert known["unused-weights"] == [4]
        assert [p["steps"] for p in store.attrs["problems"] if p["code"] == "other-configuration"] == [[4], [2]]
        pairs = measure_store(store, "1:2,1:4,1:8").pairs
        assert [pair.problem for pair in pairs] == ["other-configuration", "other-configuration", None]
        (tmp_path / "s" / "loss" / "c" / "0" / "0" / "0").unlink()


def test_gradients_and_dissent_are_not_compared_with_them(run, tokens, tmp_path):
    edit(run / "checkpoint-2", rms_norm_eps=0.5)
    edit(run / "checkpoint-4", num_hidden_layers=1, transformers_version="0")
    found, same = open_run(run), SameTokens(lambda path, config: tokens)
    choice = Choice("sampled", 16, 0, 10.0, "auto")
    gradients = RunMeasurement(found, tmp_path / "gradients.zarr", same, choice)
    dissent = DissentOfRun(found, tmp_path / "dissent", same)
    for _ in range(2):  # also from the store
        over = GradientsOverTraining("run", tuple(gradients.measure(checkpoint) for checkpoint in found.checkpoints))
        assert [checkpoint.step for checkpoint in over.main.checkpoints] == [1, 8]
        assert [checkpoint.is_sound for checkpoint in over.checkpoints] == [True, False, False, True]
        assert {p.code for p in over.checkpoints[2].problems} == {"other-configuration", "unused-weights"}
        assert over.checkpoints[1].to_json()["problems"][0]["code"] == "other-configuration"
        levels = over_training("run", [dissent.measure(checkpoint) for checkpoint in found.checkpoints])
        assert levels.steps == [1, 8]
        assert [checkpoint["step"] for checkpoint in levels.to_json()["checkpoints"]] == [1, 2, 4, 8]
        assert "problems" not in levels.to_json()["checkpoints"][0]


def test_their_difference_is_no_update(run):
    edit(run / "checkpoint-2", rms_norm_eps=0.5)
    edit(run / "checkpoint-4", num_hidden_layers=1)
    first, other, fewer, _ = open_run(run).checkpoints
    for after, why in ((other, "rms_norm_eps 0.5, not 1e-06"), (fewer, "num_hidden_layers 1, not 2")):
        with pytest.raises(InputError, match=f"--after .*-{after.step}: other settings than .*{why}"):
            difference_to(str(after.path))(first, lambda: load_model(first))
    edit(run / "checkpoint-1", num_hidden_layers=1)
    update = difference_to(str(fewer.path))(first, lambda: load_model(first))
    with pytest.raises(InputError, match="checkpoint-1: 9 of its weights have no place"):
        update.make()
