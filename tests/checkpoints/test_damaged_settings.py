"""Settings of models with wrong types and values: losses, or one line. `make check-long` measures many more."""

import numpy as np
import pytest
from damaged_settings import FAMILIES, measure_damaged_settings
from tiny import VOCABULARY, tiny_model

from zerosum import token_losses
from zerosum.errors import InputError
from zerosum.losses.batch_size import tokens_that_fit

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("family", FAMILIES)
def test_damaged_settings_are_measured_or_refused(family, tmp_path):
    measure_damaged_settings(family, tmp_path, 60 // len(FAMILIES))


def test_a_size_for_each_layer_is_the_largest_of_them():
    """As in Gemma 3n."""

    def fit(**sizes):
        config = type("Config", (), {"hidden_size": 2**16, "num_attention_heads": 1} | sizes)
        return tokens_that_fit(config, torch.device("cpu"), 16)

    assert fit(intermediate_size=[2**16, 2**22]) == fit(intermediate_size=2**22)
    assert fit(intermediate_size=[2**22, 2**16]) < fit(intermediate_size=2**16)
    for none in ([], [None], None, "x", -1, float("nan")):
        assert fit(intermediate_size=none) == fit(intermediate_size=2**18)


def test_a_model_that_does_not_run_is_one_line():
    model = tiny_model("llama")
    model.model.layers[0].self_attn.head_dim = 7
    with pytest.raises(InputError, match=r"model: it does not run \(RuntimeError: .*Are its settings those of its"):
        token_losses(model, np.arange(24).reshape(2, 12) % VOCABULARY)
