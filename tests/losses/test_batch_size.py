"""How much memory is free, and which errors mean that it is not enough."""

import pytest

torch = pytest.importorskip("torch")

from zerosum.losses import batch_size  # noqa: E402


def test_memory_that_torch_holds_back_is_free(monkeypatch):
    for name, value in {"mem_get_info": (5, 100), "memory_reserved": 30, "memory_allocated": 10}.items():
        monkeypatch.setattr(torch.cuda, name, lambda device, value=value: value)
    assert batch_size.free_memory(torch.device("cuda")) == 25


@pytest.mark.parametrize(
    ("error", "is_short"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("not enough memory"), False),
    ],
)
def test_errors_that_mean_short_memory(error, is_short):
    assert batch_size.is_out_of_memory(error) == is_short
