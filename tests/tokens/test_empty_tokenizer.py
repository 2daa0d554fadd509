"""Model folders without a tokenizer: transformers builds an empty tokenizer for some, which must be refused."""

import pytest

from zerosum import InputError
from zerosum.tokens import load_tokenizer, read_tokens

transformers = pytest.importorskip("transformers")

SETTINGS = {"gpt2": transformers.GPT2Config, "gpt_neox": transformers.GPTNeoXConfig, "llama": transformers.LlamaConfig}


@pytest.mark.parametrize("family", SETTINGS)
def test_settings_alone_make_no_tokenizer(tmp_path, family):
    SETTINGS[family](vocab_size=257).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"no tokenizer .*--tokenizer FOLDER"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_that_gives_no_tokens(tmp_path):
    (tmp_path / "a.txt").write_text("words that an empty tokenizer drops " * 3)
    with pytest.raises(InputError, match=r"a.txt: the tokenizer gives no token for its 108 characters"):
        read_tokens(tmp_path / "a.txt", tokenizer=transformers.GPT2Tokenizer())
