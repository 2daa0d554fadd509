"""The store that gradients belong to: other data, options or weights of a run have a store of their own."""

from pathlib import Path
from typing import Any

from zerosum.gradients._store import keys_of
from zerosum.missing import UNKNOWN_STEP
from zerosum.sharing import own_place

Key = dict[str, Any]
_OF_ONE_CHECKPOINT = ("weights", "config", "problems", "zerosum")  # entries of a key that may differ within a store
_OF_ONE_UPDATE = ("after", "optimizer")  # the same of the entry of the update


def own_store(default: Path, step: int, how: Key) -> Path:
    """The store at `default`, or one beside it, that a measurement of a step is in or belongs to. how: its cache key.

    What another version measured on the same tokens, and what had a problem, is replaced where it is.
    """

    def fits(path: Path) -> bool:
        keys = {other: key for other, key in keys_of(path).items() if not _is_older(key, how)}
        own = keys.pop(step, None)
        if keys and UNKNOWN_STEP in (step, *keys):  # nothing else is in a store with an unknown step
            return False
        if own is not None and own != how and not (own.get("problems") and _common(own) == _common(how)):
            return False
        return all(_common(key) == _common(how) for key in keys.values())

    return own_place(default, _common(how), fits)


def _is_older(key: Key, how: Key) -> bool:
    is_of_this_version, has_same_tokens = (key.get(name) == how[name] for name in ("zerosum", "data_sha256"))
    return has_same_tokens and not is_of_this_version


def _common(how: Key) -> Key:
    """What measurements in one store have in common."""
    update: Key = how.get("update", {})
    common = {name: value for name, value in how.items() if name not in _OF_ONE_CHECKPOINT}
    kept = {name: None if name in _OF_ONE_UPDATE else value for name, value in update.items()}
    return common | {"update": kept}
