"""What is wrong with a run's checkpoints: reported, not averaged in."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from zerosum.checkpoints.weights import inside
from zerosum.errors import InputError

_WIDER = 1.5  # times as wide as both neighbours: here a checkpoint is missing


@dataclass(frozen=True)
class Problem:
    """code: for scripts. steps: of the checkpoints it is about. message: one line with the remedy."""

    code: str
    steps: tuple[int, ...]
    message: str


def identical_weights(hashes: Mapping[int, str]) -> Iterator[Problem]:
    """Steps that are one and the same model under two names. hashes: step -> `Checkpoint.weight_hash()`."""
    same: dict[str, list[int]] = {}
    for step, weight_hash in hashes.items():
        same.setdefault(weight_hash, []).append(step)
    for steps in same.values():
        if len(steps) > 1:
            yield Problem(
                "identical-weights",
                tuple(sorted(steps)),
                f"steps {', '.join(map(str, sorted(steps)))} hold the same weights: at most one is what its name "
                "says, and nothing changes between them. Find out which, and leave out the others.",
            )


def misfit_tokenizers(folders: Mapping[int, Path]) -> Iterator[Problem]:
    """Tokenizers with ids that the model of the same folder has no row for. folders: by step."""
    wrong: dict[tuple[int, int], list[int]] = {}
    for step, folder in folders.items():
        largest, rows = _largest_id(folder), _vocabulary(folder)
        if largest is not None and rows is not None and largest >= rows:
            wrong.setdefault((largest, rows), []).append(step)
    for (largest, rows), steps in wrong.items():
        yield Problem(
            "tokenizer-does-not-fit",
            tuple(sorted(steps)),
            f"the tokenizer beside step {', '.join(map(str, sorted(steps)))} has ids up to {largest}, the model {rows} "
            "rows: it is another model's. Give the tokenizer that the model was trained with.",
        )


def gaps(steps: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Pairs of successive steps between which checkpoints are missing.

    That is where the spacing, or in a doubling series the ratio, is 1.5 times that of both neighbouring pairs: a
    change of spacing is none, and what is missing at the ends cannot be known. steps: increasing.

    >>> gaps([0, 100, 200, 400, 500]), gaps([1, 2, 4, 16, 32]), gaps([1, 2, 4, 512, 1000, 2000, 3000])
    (((200, 400),), ((4, 16),), ((4, 512),))
    """
    pairs = list(pairwise(steps))
    found = []
    for before, here, after in zip(pairs, pairs[1:], pairs[2:], strict=False):
        widths = [end - start for start, end in (before, here, after)]
        ratios = [end / start if start else 0.0 for start, end in (before, here, after)]
        if any(x > _WIDER * max(a, b) > 0 for a, x, b in (widths, ratios)):
            found.append(here)
    return tuple(found)


def _vocabulary(folder: Path) -> int | None:
    config = _json(folder, "config.json")
    if isinstance(config, dict) and isinstance(config.get("text_config"), dict):
        config = config["text_config"]
    rows = config.get("vocab_size") if isinstance(config, dict) else None
    return rows if type(rows) is int and rows > 0 else None


def _largest_id(folder: Path) -> int | None:
    """Of `tokenizer.json`, else of `vocab.json` and `added_tokens.json`; None where there is neither."""
    tokenizer = _json(folder, "tokenizer.json")
    if isinstance(tokenizer, dict):
        model = tokenizer.get("model")
        vocabulary = model.get("vocab") if isinstance(model, dict) else None
        ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else list(range(len(vocabulary or ())))
        ids += [token.get("id") for token in tokenizer.get("added_tokens") or () if isinstance(token, dict)]
    else:
        tables = [_json(folder, name) for name in ("vocab.json", "added_tokens.json")]
        ids = [token for table in tables if isinstance(table, dict) for token in table.values()]
    return max((token for token in ids if type(token) is int), default=None)


def _json(folder: Path, name: str) -> Any:
    if not (folder / name).is_file():
        return None
    try:
        return json.loads(inside(folder, name).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, InputError):
        return None
