from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from zerosum.tokens import BYTE_VOCABULARY, END_OF_DOCUMENT, END_TEXT, byte_tokenizer

TOKENIZER = byte_tokenizer()


@given(st.text().filter(lambda text: END_TEXT not in text))
@settings(max_examples=200, deadline=None)
def test_ids_are_the_bytes_and_decode_back(text: str) -> None:
    ids = TOKENIZER(text, add_special_tokens=True)["input_ids"]
    np.testing.assert_array_equal(np.array(ids, dtype=np.uint8), np.frombuffer(text.encode(), np.uint8))
    assert TOKENIZER.decode(ids) == text


def test_every_id_has_its_token_and_the_end_is_256() -> None:
    assert len(TOKENIZER) == BYTE_VOCABULARY
    assert TOKENIZER.eos_token_id == END_OF_DOCUMENT
    assert TOKENIZER(f"a{END_TEXT}b")["input_ids"] == [97, 256, 98]
    assert TOKENIZER.decode([97, 256, 98], skip_special_tokens=True) == "ab"


@pytest.mark.parametrize("text", [" two  spaces ,\tand a tab .\r\n", "don't n't 's", "naïve λ 漢字 🙂"])
def test_saved_tokenizer_reads_alike(tmp_path: Path, text: str) -> None:
    byte_tokenizer().save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.encode(text) == list(text.encode())
    assert loaded.decode(loaded.encode(text)) == text
    assert loaded.eos_token_id == END_OF_DOCUMENT
