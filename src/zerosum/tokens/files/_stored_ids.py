"""Ids in a file, read in slices: unlike those of a mapped file, the parts that were read do not stay in memory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class StoredIds:
    """The ids in a file without a header. dtype: of the ids."""

    path: Path
    dtype: "np.dtype[Any]"

    def __len__(self) -> int:
        return self.path.stat().st_size // self.dtype.itemsize

    def __getitem__(self, part: slice) -> Any:
        first, end, _ = part.indices(len(self))
        return np.fromfile(self.path, self.dtype, max(0, end - first), offset=first * self.dtype.itemsize)
