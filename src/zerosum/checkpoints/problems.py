"""Problems with the checkpoints of a run. They are reported, so that no bad checkpoint is averaged in unnoticed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from zerosum.checkpoints.weights import inside
from zerosum.errors import InputError
from zerosum.missing import step_words

_GAP_FACTOR = 1.5  # a spacing wider than this many times both neighbouring spacings lacks a checkpoint


@dataclass(frozen=True)
class Problem:
    """A problem with checkpoints. code: for scripts. steps: of the checkpoints. message: one line with the remedy."""

    code: str
    steps: tuple[int, ...]
    message: str


def identical_weights(hashes: Mapping[int, str]) -> Iterator[Problem]:
    """Problems of steps whose checkpoints hold the same weights. hashes: step -> `Checkpoint.weight_hash()`."""
    steps_by_hash: dict[str, list[int]] = {}
    for step, weight_hash in hashes.items():
        steps_by_hash.setdefault(weight_hash, []).append(step)
    for steps in steps_by_hash.values():
        if len(steps) > 1:
            yield Problem(
                "identical-weights",
                tuple(sorted(steps)),
                f"steps {', '.join(map(str, sorted(steps)))} hold the same weights: at most one of them is the step "
                "that its name states, and all changes between them are 0. Find out which one, and leave out the "
                "others.",
            )


def misfit_tokenizers(folders: Mapping[int, Path]) -> Iterator[Problem]:
    """Problems of tokenizers with ids beyond the vocabulary of the model beside them. folders: step -> folder."""
    steps_by_sizes: dict[tuple[int, int], list[int]] = {}
    for step, folder in folders.items():
        largest_id, vocabulary_size = _largest_id(folder), _vocabulary_size(folder)
        if largest_id is not None and vocabulary_size is not None and largest_id >= vocabulary_size:
            steps_by_sizes.setdefault((largest_id, vocabulary_size), []).append(step)
    for (largest_id, vocabulary_size), steps in steps_by_sizes.items():
        yield Problem(
            "tokenizer-does-not-fit",
            tuple(sorted(steps)),
            f"the tokenizer of {', '.join(map(step_words, sorted(steps)))} has token ids up to {largest_id}, but the "
            f"model has a vocabulary of {vocabulary_size}: the tokenizer is another model's. Give the tokenizer that "
            "the model was trained with.",
        )


def gaps(steps: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Pairs of successive steps between which checkpoints are missing.

    A pair counts if its spacing is more than 1.5 times that of both neighbouring pairs, or its ratio in a series that
    doubles. A change of spacing is not a gap, and what is missing at either end cannot be known. steps: increasing.

    >>> gaps([0, 100, 200, 400, 500]), gaps([1, 2, 4, 16, 32]), gaps([1, 2, 4, 512, 1000, 2000, 3000])
    (((200, 400),), ((4, 16),), ((4, 512),))
    """
    pairs = list(pairwise(steps))
    gap_pairs = []
    for before, pair, after in zip(pairs, pairs[1:], pairs[2:], strict=False):
        widths = [end - start for start, end in (before, pair, after)]
        ratios = [end / start if start else 0.0 for start, end in (before, pair, after)]
        if any(size > _GAP_FACTOR * max(left, right) > 0 for left, size, right in (widths, ratios)):
            gap_pairs.append(pair)
    return tuple(gap_pairs)


def _vocabulary_size(folder: Path) -> int | None:
    """`vocab_size` of the model's `config.json`; None where it is not there."""
    config = _json_or_none(folder, "config.json")
    if isinstance(config, dict) and isinstance(config.get("text_config"), dict):
        config = config["text_config"]
    size = config.get("vocab_size") if isinstance(config, dict) else None
    return size if type(size) is int and size > 0 else None


def _largest_id(folder: Path) -> int | None:
    """Largest token id in `tokenizer.json`, else in `vocab.json` and `added_tokens.json`; None without these files."""
    tokenizer = _json_or_none(folder, "tokenizer.json")
    if isinstance(tokenizer, dict):
        model = tokenizer.get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else list(range(len(vocabulary or ())))
        ids += [token.get("id") for token in tokenizer.get("added_tokens") or () if isinstance(token, dict)]
    else:
        tables = [_json_or_none(folder, name) for name in ("vocab.json", "added_tokens.json")]
        ids = [token_id for table in tables if isinstance(table, dict) for token_id in table.values()]
    return max((token_id for token_id in ids if type(token_id) is int), default=None)


def _json_or_none(folder: Path, name: str) -> Any:
    if not (folder / name).is_file():
        return None
    try:
        return json.loads(inside(folder, name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, InputError):
        return None
