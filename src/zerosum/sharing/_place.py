"""Places of measurements that lie side by side: what was measured in another way goes into a place of its own."""

import glob
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

_NAMES = 8  # of 8 digits each, from one hash


def places_beside(default: Path) -> list[Path]:
    """Places named by a hash beside the default one: `losses-1f2e3d4c.zarr` beside `losses.zarr`."""
    return sorted(default.parent.glob(f"{glob.escape(default.stem)}-{'[0-9a-f]' * 8}{glob.escape(default.suffix)}"))


def own_place(default: Path, kind: dict[str, Any], fits: Callable[[Path], bool]) -> Path:
    """The place where a measurement is, or belongs: the default one for the first, or one named by a hash.

    kind: what differs between measurements of different places, as JSON. fits: whether a place that exists holds
    measurements of this kind.
    """
    for place in (default, *places_beside(default)):
        if place.exists() and fits(place):
            return place
    digest = hashlib.sha256(json.dumps(kind, sort_keys=True).encode()).hexdigest()
    names = (f"{default.stem}-{digest[8 * k : 8 * k + 8]}{default.suffix}" for k in range(_NAMES))
    free = (place for place in (default, *map(default.with_name, names)) if not place.exists())
    return next(free, default)
