"""Every path on a GPU against the CPU, and its speed, in under 8 minutes: python benchmarks/gpu.py

Prints one Markdown table. Each row compares one path with the CPU in float32 on few tokens, then times it on many. A
row that fails says why, and the others go on; the exit code is 1 where a comparison failed. `--tiny` runs all of it on
the CPU at tiny sizes, CPU against CPU, to try the script where there is no GPU.
"""

import argparse
import gc
import math
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import gpu_paths as paths
import numpy as np
import torch
from gpu_paths import Place, Shape

MINUTES = 7.5
SHAPES = (Shape("14M", 256, 4, 4), Shape("144M", 1_024, 16, 16), Shape("472M", 2_048, 16, 16))
TINY = (Shape("tiny", 32, 1, 2, V=300, length=8), Shape("tiny 2", 32, 2, 2, V=300, length=8))
HEADER = (
    "path", "shape", "dtype", "compared on", "largest difference", "tolerance", "timed on", "seconds", "tokens/s",
    "share of matmul rate", "peak memory, GiB", "result",
)  # fmt: skip
WHY = {
    "a": "about 50 times the rounding of float32 on the CPU at 14M (against float64: 2e-6); TF32 would be off by 1e-3",
    "b": "100 times the rounding of float32 on the CPU at 14M (against float64: 1e-7 to 6e-7); TF32 rounds to 5e-4",
    "c": "about 20 times what bfloat16 changes on the CPU at 14M, because errors grow with depth and width",
    "d": "50 times rounding (4e-5 against float64): AdamW's first step has the sign of a gradient, 0 but for rounding "
    "in places",
    "e": "a tenth of a step of 1e-4: a GPU may add in another order each time, so a resumed run is equal to rounding",
}


@dataclass(frozen=True)
class Check:
    """A row of the table. work: as in `gpu_paths`. few, many: (S, T) compared and timed, T at most the shape's.

    tolerance: dtype -> largest difference, and its reason in WHY. relative: to the largest number of each array.
    operations: floating-point operations for each timed token, from shape and T. shapes: numbers of those that it is
    run at. seconds: for each comparison and each timing.
    """

    path: str
    work: Callable[[Place, int, int], paths.Work]
    few: tuple[int, int]
    many: tuple[int, int]
    tolerance: dict[str, tuple[float, str]]
    operations: Callable[[Shape, int], float] = lambda shape, T: math.nan
    relative: bool = False
    estimate: Callable[[Place, int, int], float] | None = None
    shapes: tuple[int, ...] = (0, 2)
    seconds: float = 45.0


# A token's exact gradient takes a backward pass over its prefix, T / 2 positions on average.
CHECKS = (
    Check("losses", paths.losses, (1, 1_024), (16, 1_024),
          {"float32": (1e-4, "a"), "bfloat16": (0.1, "c")}, lambda shape, T: shape.forward(T)),
    Check("gradients, exact", paths.exact, (2, 8), (8, 1_024),
          {"float32": (5e-5, "b"), "bfloat16": (0.02, "c")}, lambda shape, T: 2 * shape.body * T,
          estimate=paths.exact_estimate, seconds=90),
    Check("gradients, sampled", paths.sampled, (4, 16), (8, 1_024),
          {"float32": (5e-5, "b"), "bfloat16": (0.02, "c")},
          lambda shape, T: 8 * shape.forward(T) + 256 * 3 * shape.body / 8, seconds=90),
    Check("first order", paths.first_order, (1, 128), (8, 1_024), {"float32": (5e-5, "b")},
          lambda shape, T: 4 * shape.forward(T), relative=True),
    Check("dissent", paths.dissent, (2, 128), (8, 1_024), {"float32": (5e-5, "b")},
          lambda shape, T: 6 * shape.forward(T)),
    Check("step", paths.step, (2, 128), (8, 1_024), {"float32": (2e-3, "d")},
          lambda shape, T: 7 * shape.forward(T), relative=True),
    Check("train", paths.training, (2, 128), (32, 1_024),
          {"float32": (1e-4, "a"), "bfloat16": (1e-3, "c")}, lambda shape, T: 3 * paths.STEPS * shape.forward(T),
          shapes=(0, 1, 2)),
    Check("train, resumed", paths.resumed, (2, 128), (2, 128),
          {"float32": (1e-5, "e"), "bfloat16": (1e-5, "e")}, shapes=(0,)),
    # The live monitor has processes of its own: gpu_fsdp.py.
)  # fmt: skip


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raises TimeoutError where the block takes longer."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"longer than {seconds:.0f} s")

    if seconds <= 0:
        raise TimeoutError("no time is left")
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def largest_difference(numbers: paths.Numbers, expected: paths.Numbers, relative: bool) -> float:
    """Over all numbers by name; NaN must stand where it is expected, infinity is returned where it does not."""
    worst = 0.0
    for name, reference in expected.items():
        a, b = np.asarray(numbers[name], dtype=np.float64), np.asarray(reference, dtype=np.float64)
        known = np.isfinite(b)
        if not known.any() or (np.isfinite(a) != known).any():
            return math.inf
        scale = float(np.abs(b[known]).max()) if relative else 1.0
        worst = max(worst, float(np.abs(a - b)[known].max()) / scale)
    return worst


def synchronized(device: torch.device) -> float:
    """The time when all work of the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter()


def matmul_rate(device: torch.device, dtype: str, size: int) -> float:
    """Floating-point operations in a second of a plain product of two square matrices; float32 without TF32."""
    a, b = (torch.randn(size, size, device=device, dtype=getattr(torch, dtype)) for _ in "ab")
    _ = a @ b
    began = synchronized(device)
    for _ in range(5):
        _ = a @ b
    return 5 * 2 * size**3 / (synchronized(device) - began)


class Table:
    """Runs rows and prints each when it is done. rates: dtype -> matmul rate. device: that is checked."""

    def __init__(self, device: torch.device, rates: dict[str, float], deadline: float) -> None:
        self.device, self.rates, self.deadline = device, rates, deadline
        self.failed = 0
        self.line(HEADER)
        self.line(["---"] * len(HEADER))

    def line(self, cells: Any) -> None:
        print(f"| {' | '.join(cells)} |", flush=True)

    def rows(self, check: Check, shape: Shape, on_cpu: Any, on_device: Any) -> None:
        """Rows of one path at one shape, one for each dtype. on_cpu, on_device: the same model."""
        few, reference = fit(check.few, shape), Place(shape, on_cpu, torch.device("cpu"))
        expected, why = self.attempt(check, lambda: check.work(reference, *few)())
        for dtype, (tolerance, because) in check.tolerance.items():
            place = Place(shape, on_device, self.device, dtype)
            difference, result = self.compared(check, place, few, expected, why)
            timed, trouble = self.timed(check, place, fit(check.many, shape))
            results = "; ".join(filter(None, [result, trouble]))
            limit = f"{tolerance:g} ({because})"
            self.line([check.path, shape.name, dtype, size(few), difference, limit, *timed, results])

    def compared(self, check: Check, place: Place, few: Any, expected: Any, why: str) -> tuple[str, str]:
        """The largest difference, and whether it is small enough."""
        numbers = None
        if expected is not None:
            numbers, why = self.attempt(check, lambda: check.work(place, *few)())
        if numbers is None:
            self.failed += 1
            return "-", f"FAILED: {why}"
        difference = largest_difference(numbers, expected, check.relative)
        agrees = difference <= check.tolerance[place.dtype][0]
        self.failed += not agrees
        return f"{difference:.1e}", "agrees" if agrees else "FAILED: differs"

    def timed(self, check: Check, place: Place, many: tuple[int, int]) -> tuple[list[str], str]:
        """The cells of the timed work, and what went wrong."""
        on_gpu, (S, T) = self.device.type == "cuda", many

        def work() -> float:
            if check.estimate is not None:
                return check.estimate(place, S, T)
            run = check.work(place, S, T)
            began = synchronized(self.device)
            run()
            return synchronized(self.device) - began

        if on_gpu:
            torch.cuda.reset_peak_memory_stats(self.device)
        seconds, why = self.attempt(check, work)
        if seconds is None:
            return [size(many), "-", "-", "-", "-"], f"not timed: {why}"
        peak = f"{torch.cuda.max_memory_allocated(self.device) / 2**30:.1f}" if on_gpu else "-"
        tokens = S * T * (paths.STEPS if check.work is paths.training else 1)
        operations = check.operations(place.shape, T) * S * T
        share = operations / (seconds * self.rates[place.dtype])
        return [size(many), f"{seconds:.2f}" + (", estimated" if check.estimate else ""), f"{tokens / seconds:,.0f}",
                "-" if math.isnan(share) else f"{share:.0%}", peak], ""  # fmt: skip

    def attempt(self, check: Check, work: Callable[[], Any]) -> tuple[Any, str]:
        """The result of some work, or None and why there is none."""
        why = ""
        try:
            with within(min(check.seconds, self.deadline - perf_counter())):
                return work(), ""
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in one path, the others go on
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:150]}".replace("|", "/")
        gc.collect()  # outside of the handler, which keeps the tensors of the error alive
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return None, why


def size(tokens: tuple[int, int]) -> str:
    return f"{tokens[0]} x {tokens[1]:,}"


def fit(tokens: tuple[int, int], shape: Shape) -> tuple[int, int]:
    """S and T, T no longer than the shape's, S no more than 4 where that is a tiny one."""
    S, T = tokens
    return (min(S, 4) if shape.length < 128 else S), min(T, shape.length)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--tiny", action="store_true", help="CPU against CPU at tiny sizes: a dry run")
    options.add_argument("--minutes", type=float, default=MINUTES, help="beyond which no more work is begun")
    options.add_argument("--only", help="a path, such as losses")
    chosen = options.parse_args(arguments)
    if not chosen.tiny and not torch.cuda.is_available():
        print("no GPU that torch can use here. A dry run on the CPU: --tiny", file=sys.stderr)
        return 2
    device = torch.device("cpu" if chosen.tiny else "cuda:0")
    deadline = perf_counter() + 60 * chosen.minutes
    name = "the CPU" if chosen.tiny else torch.cuda.get_device_name(device)
    rates = {dtype: matmul_rate(device, dtype, 64 if chosen.tiny else 8_192) for dtype in ("float32", "bfloat16")}
    print(f"On {name}, torch {torch.__version__}, against float32 on the CPU.", end=" ")
    print("Matmul rate:", ", ".join(f"{dtype} {rate / 1e12:.3g} TFLOP/s" for dtype, rate in rates.items()), "\n")
    table = Table(device, rates, deadline)
    for number, shape in enumerate(TINY if chosen.tiny else SHAPES):
        checks = [check for check in CHECKS if number in check.shapes and chosen.only in (None, check.path)]
        on_cpu = paths.model_of(shape)
        on_device = deepcopy(on_cpu).to(device)
        for check in checks:
            table.rows(check, shape, on_cpu, on_device)
    print("\nTolerances:", "; ".join(f"({letter}) {why}" for letter, why in WHY.items()), end=".\n")
    print(f"{table.failed} comparisons failed.")
    return int(table.failed > 0)


if __name__ == "__main__":
    sys.exit(main())
