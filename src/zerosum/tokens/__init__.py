"""Reads texts and token arrays as sequences of token ids, each token with its document and domain.

Knows tokenizers; must not know models or what is measured on the tokens. To support another file format, add a file to
`formats/`.
"""

from zerosum.tokens._byte_tokenizer import BYTE_VOCABULARY, END_OF_DOCUMENT, END_TEXT, byte_tokenizer
from zerosum.tokens._held_out_windows import HeldOutDocument, held_out_windows
from zerosum.tokens._read import LONGEST, read_tokens
from zerosum.tokens._sequences import PADDING, TokenSequences, require_vocabulary, token_ids
from zerosum.tokens._tokenizer import TokenizerFacts, load_tokenizer

__all__ = [
    "BYTE_VOCABULARY",
    "END_OF_DOCUMENT",
    "END_TEXT",
    "LONGEST",
    "PADDING",
    "HeldOutDocument",
    "TokenSequences",
    "TokenizerFacts",
    "byte_tokenizer",
    "held_out_windows",
    "load_tokenizer",
    "read_tokens",
    "require_vocabulary",
    "token_ids",
]
