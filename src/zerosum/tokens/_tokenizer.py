"""The tokenizer of a model's folder, and what is kept of it for the record."""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from zerosum.errors import InputError, MissingExtra


@dataclass(frozen=True)
class TokenizerFacts:
    """name: as it was asked for. path: its folder where it is local. sha256: of its vocabulary and rules."""

    name: str
    path: str | None
    sha256: str
    n_tokens: int

    @classmethod
    def of(cls, tokenizer: Any, name: str | Path) -> "TokenizerFacts":
        """Facts of a loaded transformers tokenizer."""
        backend = getattr(tokenizer, "backend_tokenizer", None)
        rules = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
        local = Path(name).is_dir()
        return cls(
            name=Path(name).resolve().name if local else str(name),
            path=str(Path(name).resolve()) if local else None,
            sha256=hashlib.sha256(rules.encode()).hexdigest(),
            n_tokens=len(tokenizer),
        )


def load_tokenizer(name: str | Path) -> Any:
    """The transformers tokenizer of a folder or of a name on the hub; runs no code that comes with it.

    Raises InputError where there is none, or one that knows no more than special tokens: what transformers builds from
    the settings of some models alone, where no file of a tokenizer is there.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as missing:
        raise MissingExtra("transformers", "lm") from missing
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(name), local_files_only=Path(name).is_dir(), trust_remote_code=False
        )
    except Exception as error:  # a damaged folder leads to whatever kind its part raises
        cause = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name}: no tokenizer loads from here ({cause}). Name the tokenizer that the model was trained with: "
            "--tokenizer FOLDER."
        ) from error
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise InputError(
            f"{name}: no tokenizer is in it: no file says any token but special ones. Name the tokenizer that the "
            "model was trained with: --tokenizer FOLDER."
        )
    logging.getLogger("transformers.tokenization_utils_base").setLevel(logging.ERROR)  # texts may be of any length
    return tokenizer


def encode(tokenizer: Any, text: str) -> Int64[np.ndarray, " n"]:
    """Token ids of a text, without special tokens."""
    return np.asarray(tokenizer(text, add_special_tokens=False)["input_ids"], dtype=np.int64)


def adds_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer itself begins a text with its BOS token."""
    bos = tokenizer.bos_token_id
    return bos is not None and tokenizer("a")["input_ids"][:1] == [bos]
