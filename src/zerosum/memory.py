"""What the C library does with memory that operations on arrays free, on a CPU."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_HELD = 512 * 2**20  # bytes
_LARGEST = 32 * 2**20  # bytes of a tensor whose memory can be held; more is not possible


def hold_freed_memory() -> None:
    """Let glibc hold up to 512 MiB that an operation frees for the next one, until the process ends.

    It would give them back to the system, and get them page by page in the next operation: that takes 5 % of the time
    of a training step with 1M parameters (benchmarks/training.md), and up to a fifth with 250k. Nothing happens where
    the C library is another one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST)  # setting the other one fixes this one too, by default at 128 KiB
    mallopt(_TRIM_THRESHOLD, _HELD)
