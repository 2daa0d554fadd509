"""The index of a folder of token files: what `index.json` says, as a record."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, ValidationError

from zerosum.atomic import write_text
from zerosum.errors import InputError
from zerosum.estimate import Estimate
from zerosum.record import Record
from zerosum.tokens.ngrams import NgramLadder

INDEX = "index.json"
TOKENIZER = "tokenizer"
TRAIN, HELD_OUT = "train", "held_out"
SPLITS = (TRAIN, HELD_OUT)
NAMES = "held_out_names.jsonl"
MOST_VOCABULARY = 1 << 32
MOST_DOMAINS = 1 << 16

Count = Annotated[int, Field(ge=0, lt=1 << 62)]
Name = Annotated[str, Field(max_length=10_000)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Dtype = Literal["uint16", "uint32"]


def split_files(split: str) -> tuple[str, str, str]:
    """The files of a split: ids, bounds of documents, domain of each document.

    >>> split_files("train")
    ('train.bin', 'train_starts.npy', 'train_domain.npy')
    """
    return f"{split}.bin", f"{split}_starts.npy", f"{split}_domain.npy"


DATA_FILES = (*split_files(TRAIN), *split_files(HELD_OUT), NAMES)


@dataclass(frozen=True)
class Amount:
    """Tokens and documents of a split, or of a domain in a split."""

    tokens: Count
    documents: Count


@dataclass(frozen=True)
class SplitFacts:
    """A split: all of it, and the part of each domain, in the order of the index's `domains`."""

    tokens: Count
    documents: Count
    by_domain: list[Amount]


@dataclass(frozen=True)
class TokenizerUsed:
    """The tokenizer in `tokenizer/`. trained_on: bytes of the texts it was trained on here, None for a given one."""

    name: Name
    sha256: Sha256
    n_tokens: Count
    trained_on: Count | None = None


@dataclass(frozen=True)
class Overlap:
    """Held-out windows that occur verbatim in the training split.

    window: tokens of a window. windows: number of held-out windows, which lie side by side inside documents; a document
    shorter than a window has none. in_training: how many of them occur anywhere in the training ids.
    """

    window: Annotated[int, Field(ge=1, le=1 << 20)]
    windows: Count
    in_training: Count

    @property
    def share(self) -> Estimate:
        """Share of the held-out windows that occur in the training split, in [0, 1]; exact for these files."""
        if not self.windows:
            reason = f"no held-out document has {self.window} tokens"
            return Estimate(float("nan"), reason=reason, N=0, of="windows")
        reason = "all windows are counted: exact for these files"
        return Estimate(self.in_training / self.windows, reason=reason, N=self.windows, of="windows")


@dataclass(frozen=True, repr=False)
class Index(Record):
    """What a folder of token files holds.

    dtype: of the ids in train.bin and held_out.bin, little-endian. vocabulary: every id is below it. end_of_document:
    the id that ends each text, None where the tokenizer has none. empty, copies: documents left out because they have
    no token, or are exact copies of an earlier document. options: of the command. files: SHA-256 of each file. ngrams:
    losses of n-gram models on the held-out text; None where nothing is held out, and in folders of earlier versions.
    """

    dtype: Dtype
    vocabulary: Annotated[int, Field(ge=1, le=MOST_VOCABULARY)]
    end_of_document: Count | None
    domains: Annotated[list[Name], Field(min_length=1, max_length=MOST_DOMAINS)]
    train: SplitFacts
    held_out: SplitFacts
    empty: Count
    copies: Count
    tokenizer: TokenizerUsed
    overlap: Overlap
    options: dict[str, Any]
    files: dict[Name, Sha256]
    ngrams: NgramLadder | None = None
    format: Literal["zerosum-tokens"] = "zerosum-tokens"
    version: Literal[1] = 1

    def save(self, folder: Path) -> None:
        """Write `index.json`."""
        text = _ADAPTER.dump_json(self, indent=1, warnings="error").decode()
        write_text(folder / INDEX, text + "\n")

    def split(self, name: str) -> SplitFacts:
        """The facts of the split of this name."""
        return self.train if name == TRAIN else self.held_out


_ADAPTER = TypeAdapter(Index)


def read_index(folder: Path) -> Index:
    """Read `index.json`. Raises InputError where it is missing, damaged or contradicts itself."""
    path = folder / INDEX
    try:
        index = _ADAPTER.validate_json(path.read_bytes(), strict=True)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "the file"
        raise _damaged(path, f"{place}: {problem['msg']}") from None
    except RecursionError:
        raise _damaged(path, "nested too deeply") from None
    except OSError as error:
        raise InputError(
            f"{folder}: no folder of token files ({INDEX}: {error.strerror or error}). Make it with zerosum data."
        ) from None
    for name in SPLITS:
        facts = index.split(name)
        sums = (sum(part.tokens for part in facts.by_domain), sum(part.documents for part in facts.by_domain))
        if len(facts.by_domain) != len(index.domains) or sums != (facts.tokens, facts.documents):
            raise _damaged(path, f"{name}.by_domain does not add up to the split")
    if index.end_of_document is not None and index.end_of_document >= index.vocabulary:
        raise _damaged(path, "end_of_document is outside the vocabulary")
    if index.dtype != dtype_for(index.vocabulary):
        raise _damaged(path, f"dtype is not that of {index.vocabulary} ids")
    return index


def dtype_for(vocabulary: int) -> Dtype:
    """The type of ids of a vocabulary. Raises InputError where 32 bits are too few."""
    if vocabulary > MOST_VOCABULARY:
        raise InputError(f"a vocabulary of {vocabulary:,} ids: 32 bits are too few. Choose another --tokenizer.")
    return "uint16" if vocabulary <= 1 << 16 else "uint32"


def _damaged(path: Path, cause: str) -> InputError:
    cause = " ".join(cause.split())[:200]
    return InputError(f"{path}: damaged, or not of token files ({cause}). Make the folder again with zerosum data.")
