"""Hugging Face datasets: a folder made by `save_to_disk`, or a name on the hub as NAME[:CONFIG][:SPLIT]."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zerosum.errors import InputError, MissingExtra
from zerosum.tokens._document import Document, Fields

_MARKS = ("dataset_dict.json", "state.json")
_SPLITS = ("validation", "test")  # taken without asking: tokens that were not trained on


def is_saved(path: Path) -> bool:
    """Whether this folder was made by `save_to_disk`."""
    return any((path / mark).is_file() for mark in _MARKS)


def documents(source: str, fields: Fields) -> Iterator[Document]:
    """A document for each row. Raises InputError where there is no such dataset, split or column."""
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
            found, name = datasets.load_from_disk(folder), folder
        else:
            name, *rest = source.split(":")
            split = rest[-1] if rest else ""
            found = datasets.load_dataset(name, rest[0] if len(rest) > 1 else None)
    except Exception as error:  # the hub, the network, a damaged cache and a wrong name each raise their own kinds
        cause = " ".join(str(error).split())[:300]
        raise InputError(
            f"{source}: no file, and no dataset of this name can be loaded ({cause}). Check the name; offline, only "
            "what is in the cache is found."
        ) from error
    rows, name = _one_split(found, name, split)
    for number, record in enumerate(rows):
        yield fields.document(record, f"{name}:{number + 1}")


def _one_split(found: Any, name: str, split: str) -> tuple[Any, str]:
    if not isinstance(found, dict):
        return found, name
    choices = list(found)
    usual = [one for one in _SPLITS if one in choices] or (choices if len(choices) == 1 else [])
    chosen = split or (usual[0] if usual else "")
    if chosen not in choices:
        raise InputError(f"{name}: split {chosen!r}; there is {', '.join(choices)}. Name one: {name}:{choices[0]}.")
    return found[chosen], f"{name}:{chosen}"
