"""Loads a model's tokenizer, and records facts that identify it."""

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
    """Facts that identify a tokenizer.

    name: of its folder, or on the hub. path: its folder if it is local, else None. sha256: of its vocabulary and rules,
    in hexadecimal. n_tokens: size of its vocabulary with added tokens.
    """

    name: str
    path: str | None
    sha256: str
    n_tokens: int

    @classmethod
    def of(cls, tokenizer: Any, name: str | Path) -> "TokenizerFacts":
        """The facts of a loaded transformers tokenizer. name: the folder or hub name it was loaded from."""
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
    """Load the transformers tokenizer of a folder or of a name on the hub; code that comes with it is not run.

    Raises InputError where there is no tokenizer, or one with special tokens only: transformers builds such a tokenizer
    from the settings of some models if their folder has no tokenizer files.
    """
    try:
        from transformers import AutoTokenizer
    except ImportError as missing:
        raise MissingExtra("transformers", "lm") from missing
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(name), local_files_only=Path(name).is_dir(), trust_remote_code=False
        )
    except Exception as error:  # a damaged folder can lead to an error of almost any type
        cause = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name}: no tokenizer can be loaded from here ({cause}). Name the tokenizer that the model was trained "
            "with: --tokenizer FOLDER."
        ) from error
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
        raise InputError(
            f"{name}: no tokenizer in it: its files define only special tokens. Name the tokenizer that the model was "
            "trained with: --tokenizer FOLDER."
        )
    logging.getLogger("transformers.tokenization_utils_base").setLevel(logging.ERROR)  # no warnings about long texts
    return tokenizer


def encode(tokenizer: Any, text: str) -> Int64[np.ndarray, " n"]:
    """Token ids of a text, without special tokens."""
    return np.asarray(tokenizer(text, add_special_tokens=False)["input_ids"], dtype=np.int64)


def adds_bos(tokenizer: Any) -> bool:
    """Whether the tokenizer by itself begins a text with its BOS token."""
    bos = tokenizer.bos_token_id
    return bos is not None and tokenizer("a")["input_ids"][:1] == [bos]
