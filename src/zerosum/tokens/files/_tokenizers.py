"""The tokenizer of a folder of token files: given, the bytes, or trained on the spot; and how texts become ids."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer

from zerosum.atomic import new_folder
from zerosum.errors import InputError
from zerosum.tokens._byte_tokenizer import END_TEXT, byte_tokenizer
from zerosum.tokens._ids import Bos, DocumentEncoder
from zerosum.tokens._tokenizer import TokenizerFacts, encode, load_tokenizer
from zerosum.tokens.files._index import MOST_VOCABULARY, TokenizerUsed, dtype_for

BYTES = "bytes"
SAMPLE_BYTES = 1 << 26  # of text that a tokenizer is trained on, at most
_TRAINED = re.compile(r"train:(\d{1,12})")
_END = "<|endoftext|>"  # end-of-text token of tokenizers that are trained here
_SMALLEST = 257  # ids of a trained tokenizer: the bytes and the end-of-text token

EncodeTexts = Callable[[list[str]], list[Integer[np.ndarray, " _"]]]


@dataclass(frozen=True)
class TokenizerChoice:
    """The chosen tokenizer, and the special tokens that documents get. Flat, to be written as JSON.

    vocabulary: every id is below it. bos_id: before each text. end_id: after each text. eos_id: the token that ends a
    document in a stream of ids. Each None where there is none. is_bytes: the byte tokenizer.
    """

    name: str
    sha256: str
    n_tokens: int
    trained_on: int | None
    vocabulary: int
    bos_id: int | None
    end_id: int | None
    eos_id: int | None
    is_bytes: bool

    @property
    def used(self) -> TokenizerUsed:
        """What the index says of it."""
        return TokenizerUsed(self.name, self.sha256, self.n_tokens, self.trained_on)

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The type of its ids on disk."""
        return np.dtype(dtype_for(self.vocabulary)).newbyteorder("<")


def choose_tokenizer(name: str, folder: Path, bos: Bos, sample: Callable[[int], Iterator[str]]) -> TokenizerChoice:
    """Load or train a tokenizer, and save it into `folder`.

    name: a folder, a name on the hub, "bytes", or "train:N" for byte-level BPE of N ids. sample: gives texts of about
    so many bytes to train on. Raises InputError where there is no such tokenizer or no text.
    """
    trained_on = None
    if name == BYTES:
        tokenizer = byte_tokenizer()
    elif size := _TRAINED.fullmatch(name):
        tokenizer, trained_on = _trained(int(size[1]), sample(SAMPLE_BYTES))
    elif name.startswith("train:") and not Path(name).is_dir():
        raise InputError(f"{name}: give the number of ids of the tokenizer to train, as in train:8192.")
    else:
        tokenizer = load_tokenizer(name)
    encoder = DocumentEncoder(tokenizer, pack=True, bos=bos, vocab_size=None, max_ids=None)
    vocabulary = max(len(tokenizer), 1 + max(tokenizer.get_vocab().values()))
    dtype_for(vocabulary)
    with new_folder(folder) as part:
        tokenizer.save_pretrained(str(part))
    facts = TokenizerFacts.of(tokenizer, name)
    ids = (encoder.bos_id, encoder.end_id, encoder.eos_id)
    return TokenizerChoice(facts.name, facts.sha256, facts.n_tokens, trained_on, vocabulary, *ids, name == BYTES)


def text_encoder(choice: TokenizerChoice, folder: Path) -> EncodeTexts:
    """What turns texts into ids, without special tokens of its own, with the tokenizer saved in `folder`."""
    slow = _encode_slowly(choice, folder)
    if choice.is_bytes:
        return lambda texts: [
            slow([text])[0] if END_TEXT in text else np.frombuffer(text.encode(), np.uint8) for text in texts
        ]
    return slow


def _encode_slowly(choice: TokenizerChoice, folder: Path) -> EncodeTexts:
    file = folder / "tokenizer.json"
    if not file.is_file():  # a tokenizer of Python code
        tokenizer = load_tokenizer(folder)
        return lambda texts: [encode(tokenizer, text) for text in texts]
    from tokenizers import Tokenizer

    fast = Tokenizer.from_file(str(file))
    fast.no_truncation()
    fast.no_padding()
    return lambda texts: [
        np.array(encoding.ids, np.int64) for encoding in fast.encode_batch_fast(texts, add_special_tokens=False)
    ]


def _trained(size: int, texts: Iterator[str]) -> tuple[Any, int]:
    """Byte-level BPE, and the bytes of text it was trained on. The same texts give the same tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    if not _SMALLEST <= size <= MOST_VOCABULARY:
        raise InputError(f"train:{size}: give {_SMALLEST} ids (all bytes and the end of a text) or more.")
    n_bytes = 0

    def counted() -> Iterator[str]:
        nonlocal n_bytes
        for text in texts:
            n_bytes += len(text.encode())
            yield text

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(counted(), trainer)
    if not n_bytes:
        raise InputError(f"train:{size}: there is no text to train a tokenizer on. Name a tokenizer.")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=_END, clean_up_tokenization_spaces=False, model_max_length=10**9
    )
    return fast, n_bytes
