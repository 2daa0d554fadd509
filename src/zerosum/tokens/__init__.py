"""Reads texts and token arrays as sequences of token ids, each token with its document and domain.

Knows tokenizers; must not know models or what is measured on the tokens. To support another file format, add a file to
`formats/`.
"""

from zerosum.tokens._read import LONGEST, read_tokens
from zerosum.tokens._sequences import PADDING, TokenSequences, require_vocabulary
from zerosum.tokens._tokenizer import TokenizerFacts, load_tokenizer

__all__ = [
    "LONGEST",
    "PADDING",
    "TokenSequences",
    "TokenizerFacts",
    "load_tokenizer",
    "read_tokens",
    "require_vocabulary",
]
