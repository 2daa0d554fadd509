"""Muon's direction: a matrix with nearly equal singular values, by five Newton-Schulz steps.

In the precision of the weights, not in bfloat16. Axes: o outputs, i inputs.
"""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from zerosum.training.matrices import Layout

A, B, C = 3.4445, -4.7750, 2.0315  # Jordan et al. 2024: steep at 0, so that small singular values grow fast
STEPS = 5
SMALLEST_NORM = 1e-7


def orthogonalized(update: Float[Tensor, "o i"]) -> Float[Tensor, "o i"]:
    """Near U V^T of the singular value decomposition: singular values between about 0.7 and 1.2.

    Holds for condition numbers below about 100; smaller singular values stay small. The scale of `update` cancels while
    its Euclidean norm is far above 1e-7.
    """
    x = update / (update.norm() + SMALLEST_NORM)
    wide: Tensor = x.T if x.shape[0] > x.shape[1] else x
    for _ in range(STEPS):
        gram = wide @ wide.T
        wide = A * wide + (B * gram + C * gram @ gram) @ wide
    return wide.T if x.shape[0] > x.shape[1] else wide


def scale(outputs: int, inputs: int, scaling: str) -> float:
    """Factor of the direction, for a rate that suits all shapes.

    spectral: sqrt(max(1, outputs / inputs)), Jordan et al. 2024. rms: 0.2 sqrt(max(outputs, inputs)), so that
    coordinates move about as far as by AdamW, Liu et al. 2025, arXiv 2502.16982.
    """
    if scaling == "spectral":
        return math.sqrt(max(1.0, outputs / inputs))
    return 0.2 * math.sqrt(max(outputs, inputs))


def direction(update: Tensor, layout: Layout, scaling: str) -> Tensor:
    """The scaled direction of a stored weight; every map that is fused into it is made orthogonal by itself.

    A sharded weight (DTensor) is gathered, and every process computes the whole.
    """
    whole: Any = update
    if hasattr(update, "full_tensor"):
        whole = update.full_tensor()
    precise = whole if whole.dtype in (torch.float32, torch.float64) else whole.float()
    made = _of_each_part(precise.T if layout.transposed else precise, layout, scaling)
    made = (made.T if layout.transposed else made).to(update.dtype)
    if whole is update:
        return made
    from torch.distributed.tensor import distribute_tensor

    sharded: Any = update
    return distribute_tensor(made.contiguous(), sharded.device_mesh, sharded.placements, src_data_rank=None)


def _of_each_part(matrix: Float[Tensor, "o i"], layout: Layout, scaling: str) -> Float[Tensor, "o i"]:
    if not layout.parts:
        whole: Tensor = orthogonalized(matrix) * scale(matrix.shape[0], matrix.shape[1], scaling)
        return whole
    inputs = matrix.shape[1]
    parts = []
    for part in torch.split(matrix.reshape(layout.repeats, -1, inputs), list(layout.parts), dim=1):
        outputs = part.shape[0] * part.shape[1]
        made = orthogonalized(part.reshape(outputs, inputs)) * scale(outputs, inputs, scaling)
        parts.append(made.reshape(part.shape))
    return torch.cat(parts, dim=1).reshape(matrix.shape)
