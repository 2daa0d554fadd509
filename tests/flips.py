"""Damage of single bits, for tests of what a store notices."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from zerosum.errors import InputError

FLIPS = 60


def flipped(folder: Path, number: int = FLIPS, seed: int = 0) -> Iterator[Path]:
    """Flip one random bit of a random file, yield the file, and put the bit back; every file is hit at least once."""
    rng = np.random.default_rng(seed)
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    chosen = [*files, *rng.choice(files, max(0, number - len(files)))]
    for file in chosen:
        content = file.read_bytes()
        bit = int(rng.integers(8 * len(content)))
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        yield file
        file.write_bytes(content)


def outcomes(folder: Path, read: Callable[[], xr.Dataset]) -> dict[str, int]:
    """How many flips the reading names the file of, how many change nothing, and how many change what is read."""
    whole, counts = read(), {"named": 0, "harmless": 0, "wrong": 0}
    for file in flipped(folder):
        try:
            same = read().identical(whole)
        except InputError as error:
            counts["named" if file.relative_to(folder).as_posix().split("/", 1)[-1] in str(error) else "wrong"] += 1
        else:
            counts["harmless" if same else "wrong"] += 1
    return counts
