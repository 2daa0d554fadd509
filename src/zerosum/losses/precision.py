"""Precision of matrix products: in full float32 while something is measured, whatever training uses."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch


@contextmanager
def full_float32() -> Iterator[None]:
    """Products of float32 matrices in full float32 (no TF32) inside the block; what was chosen before after it."""
    try:
        before = torch.get_float32_matmul_precision()
    except RuntimeError:  # chosen by switches of each backend, which cannot be mixed with the one of all backends
        with _by_backend():
            yield
        return
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@contextmanager
def _by_backend() -> Iterator[None]:
    switches: list[Any] = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    for switch in switches:
        switch.fp32_precision = "ieee"
    try:
        yield
    finally:
        for switch, precision in zip(switches, before, strict=True):
            switch.fp32_precision = precision
