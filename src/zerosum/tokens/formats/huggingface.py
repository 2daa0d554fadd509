"""Hugging Face datasets: a folder made by `save_to_disk`, or a name on the hub as NAME[:CONFIG][:SPLIT]."""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from zerosum.errors import InputError, MissingExtra
from zerosum.tokens._document import Document, Fields, Range, even_ranges

_SAVED_FILES = ("dataset_dict.json", "state.json")  # written by `save_to_disk`
_HELD_OUT = ("validation", "test")  # default splits, the first that exists: models were not trained on them


def is_saved(path: Path) -> bool:
    """Whether this folder was written by `save_to_disk`."""
    return any((path / name).is_file() for name in _SAVED_FILES)


def training_split(source: str) -> str:
    """The source with the split to train on: "train" where it names none and there is a split of that name."""
    dataset, _, split = _load(source)
    return f"{source}:train" if isinstance(dataset, dict) and not split and "train" in dataset else source


def ranges(source: str, size: int) -> list[Range]:
    """Ranges of rows of about `size` bytes."""
    rows, _ = _select_split(*_load(source))
    return even_ranges(len(rows), size * len(rows) // max(1, rows.data.nbytes))


def documents(source: str, fields: Fields, part: Range | None = None) -> Iterator[Document]:
    """One document per row. part: only these rows.

    Raises InputError where the dataset, split or column does not exist.
    """
    rows, name = _select_split(*_load(source))
    first, end = part or (0, len(rows))
    for number in range(first, end):
        yield fields.document(rows[number], f"{name}:{number + 1}")


@lru_cache(maxsize=1)
def _load(source: str) -> tuple[Any, str, str]:
    """The dataset or its splits by name, the dataset's name, and the split that the source names, or ""."""
    try:
        import datasets
    except ImportError as missing:
        raise MissingExtra("datasets", "lm") from missing
    datasets.disable_progress_bars()
    folder, _, split = source.rpartition(":")
    if is_saved(Path(source)):
        folder, split = source, ""
    try:
        if is_saved(Path(folder)):
            dataset, name = datasets.load_from_disk(folder), folder
        else:
            name, *rest = source.split(":")
            split = rest[-1] if rest else ""
            dataset = datasets.load_dataset(name, rest[0] if len(rest) > 1 else None)
    except Exception as error:  # hub, network, damaged cache and wrong name raise errors of many types
        cause = " ".join(str(error).split())[:300]
        raise InputError(
            f"{source}: no file, and no dataset of this name can be loaded ({cause}). Check the name; offline, only "
            "datasets in the cache are found."
        ) from error
    return dataset, name, split


def _select_split(dataset: Any, name: str, split: str) -> tuple[Any, str]:
    """The rows of a split, and the name of the dataset with the split's. split: "" for the default split."""
    if not isinstance(dataset, dict):
        return dataset, name
    splits = list(dataset)
    defaults = [held_out for held_out in _HELD_OUT if held_out in splits] or (splits if len(splits) == 1 else [])
    chosen = split or (defaults[0] if defaults else "")
    if chosen not in splits:
        raise InputError(f"{name}: no split {chosen!r}; there are {', '.join(splits)}. Name one: {name}:{splits[0]}.")
    return dataset[chosen], f"{name}:{chosen}"
