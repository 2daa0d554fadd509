"""Classes of tokens by how often their label comes among the tokens measured.

Letters: N predicted tokens, Y distinct labels.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

BASE = 4  # each class reaches to so many times the one before


@dataclass(frozen=True, eq=False)
class LabelFrequency:
    """labels: [Y] ids, sorted. count: [Y] how often each comes. of_label: [Y] its class. of_token: [N] that of each.

    names: of the classes, by how often their labels come: "1 to 3", "4 to 15" and so on.
    """

    labels: Int64[np.ndarray, " Y"]
    count: Int64[np.ndarray, " Y"]
    of_label: Int64[np.ndarray, " Y"]
    of_token: Int64[np.ndarray, " N"]
    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Int64[np.ndarray, " N"]) -> "LabelFrequency":
        """Of the labels of all tokens.

        >>> found = LabelFrequency.of(np.array([7, 5, 7, 7, 7]))
        >>> found.labels.tolist(), found.count.tolist(), found.of_token.tolist(), found.names
        ([5, 7], [1, 4], [1, 0, 1, 1, 1], ('1 to 3', '4 to 15'))
        """
        ids, index, count = np.unique(labels, return_inverse=True, return_counts=True)
        edges = BASE ** np.arange(1, 32, dtype=np.int64)
        of_label = np.searchsorted(edges, count, side="right").astype(np.int64)
        number = int(of_label.max(initial=-1)) + 1
        names = tuple(f"{BASE**k:,} to {BASE ** (k + 1) - 1:,}" for k in range(number))
        return cls(ids, count.astype(np.int64), of_label, of_label[index.ravel()], names)
