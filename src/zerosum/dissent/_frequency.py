"""Classes of tokens by how often their label occurs among the tokens measured.

Letters: N predicted tokens, Y distinct labels.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

BASE = 4  # each class reaches to so many times the one before


@dataclass(frozen=True, eq=False)
class LabelFrequency:
    """labels: [Y] ids, sorted. count: [Y] how often each occurs. of_label: [Y] class of each label.

    of_token: [N] class of each token. bounds: lowest and highest count of each class.
    """

    labels: Int64[np.ndarray, " Y"]
    count: Int64[np.ndarray, " Y"]
    of_label: Int64[np.ndarray, " Y"]
    of_token: Int64[np.ndarray, " N"]
    bounds: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, labels: Int64[np.ndarray, " N"]) -> "LabelFrequency":
        """Of the labels of all tokens.

        >>> frequency = LabelFrequency.of(np.array([7, 5, 7, 7, 7]))
        >>> frequency.labels.tolist(), frequency.count.tolist(), frequency.of_token.tolist(), frequency.bounds
        ([5, 7], [1, 4], [1, 0, 1, 1, 1], ((1, 3), (4, 15)))
        """
        ids, index, count = np.unique(labels, return_inverse=True, return_counts=True)
        edges = BASE ** np.arange(1, 32, dtype=np.int64)
        of_label = np.searchsorted(edges, count, side="right").astype(np.int64)
        number = int(of_label.max(initial=-1)) + 1
        bounds = tuple((BASE**k, BASE ** (k + 1) - 1) for k in range(number))
        return cls(ids, count.astype(np.int64), of_label, of_label[index.ravel()], bounds)
