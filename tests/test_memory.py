"""Memory that an update frees is there for the next one, without the system filling its pages again."""

import platform
import resource

import pytest
import torch

from zerosum.memory import hold_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc gives memory back, others may not")
def test_freed_memory_is_held():
    hold_freed_memory()
    faults = []
    for _ in range(8):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        tensors = [torch.ones(2**21) for _ in range(8)]  # 8 MiB each, in pages of 4 KiB
        del tensors
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert max(faults[-3:]) < 100, faults  # of 16,384 pages
