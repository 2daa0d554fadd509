"""What the README says in Python about models runs as it stands there."""

import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tiny import save_checkpoint, tiny_model

import zerosum

README = Path(__file__).parents[2] / "README.md"


def block_with(words):
    blocks = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if words in block)
    return found


def test_losses_and_gradients_of_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    model = tiny_model(vocab_size=258, max_position_embeddings=64)
    save_checkpoint("runs/demo/25k-seed0", 5, model)
    names = {"zerosum": zerosum}
    exec(block_with("zerosum.token_losses(model, tokens)"), names)  # noqa: S102 - the project's own text
    assert names["losses"].shape == (256, 64)
    names |= {"tokens": names["tokens"][:4], "update": model}
    exec(block_with("zerosum.gradient_interference("), names)  # noqa: S102 - the project's own text
    assert names["found"].N == 256
    assert "model.layers.0" in capsys.readouterr().out
