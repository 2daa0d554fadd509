"""Parameters of a run counted from its configuration: against the closed form of the architecture."""

import json

import pytest
import yaml

from zerosum import InputError
from zerosum.runs import model_size

V, H, INNER, LAYERS = 257, 16, 40, 2
MODEL = {
    "vocab_size": V,
    "hidden_size": H,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 2,
}
INSIDE = LAYERS * (4 * H * H + 3 * H * INNER + 2 * H) + H  # of a Llama, without embedding and head


@pytest.mark.parametrize("tied", [True, False])
def test_a_llama_has_the_size_of_its_formula_wherever_its_configuration_lies(tmp_path, tied):
    settings = {**MODEL, "tie_word_embeddings": tied}
    counted = (INSIDE + V * H * (1 if tied else 2), INSIDE)
    places = {name: tmp_path / name for name in ("hugging face", "checkpoints", "recipe")}
    for folder in (*places.values(), places["checkpoints"] / "checkpoint-8"):
        folder.mkdir()
    config = json.dumps({"model_type": "llama", **settings})
    (places["hugging face"] / "config.json").write_text(config)
    (places["checkpoints"] / "checkpoint-8" / "config.json").write_text(config)
    recipe = {"model": {"family": "llama", "trained_norms": True, **settings}}
    (places["recipe"] / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    for folder in places.values():
        assert model_size(folder) == counted
        assert model_size(folder / "metrics.jsonl") == model_size(folder / "trainer_state.json") == counted


def test_a_run_without_a_configuration_has_no_size(tmp_path):
    assert model_size(tmp_path) is None
    assert model_size(tmp_path / "14M.csv") is None


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("config.json", json.dumps({"model_type": "no-such-model"}), "no model of it can be built"),
        ("config.json", json.dumps({"model_type": "llama", "num_hidden_layers": 10**9}), "more than any model has"),
        ("recipe.yaml", "name: a\n", "has no model to count"),
        ("recipe.yaml", "model: [1, 2]\n", "has no model to count"),
    ],
)
def test_a_configuration_that_is_none_is_one_line(tmp_path, name, text, part):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=r"--params") as refused:
        model_size(tmp_path)
    assert part in str(refused.value)
    assert "\n" not in str(refused.value)
