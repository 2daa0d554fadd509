"""Averages of weights while a model trains: means of the last K iterates, and EMAs, in constant memory.

    last:K     at step t: the mean of the iterates after updates t - K + 1 to t; before step K of all iterates so far
    ema:beta   weights of iterate k at step t in proportion to beta^(t - k): an exponential moving average with bias
               correction, avg += (1 - beta) / (1 - beta^n) (iterate - avg), n iterates so far

The start (step 0, or the step from which a run continues) is no iterate: the average at the start is the start.
torch.optim.swa_utils has the same EMA without bias correction, in float32, and no mean of a window.

All `last:K` share one running sum. The mean of a window is the difference of the sum at its end and at its start; the
sum at the start is held until then. Held at once: at most one sum more than there are ends of windows in a doubling of
the step, for each K, whatever K is. Sums are float64, 8 bytes a parameter each, and so are each EMA and a copy of the
iterate.
Sources: LAWA (Kaddour 2022, arXiv 2209.14981); bias correction as in Adam (Kingma and Ba 2015).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from zerosum.checkpoints.average_form import AverageForm

Tensors = list[Tensor]
_SUM, _SUM_AT = "sum", "sum at "


@runtime_checkable
class Ends(Protocol):
    """The steps at which averages are needed."""

    def __contains__(self, step: int, /) -> bool:
        """Whether averages are needed at a step."""

    def next(self, step: int) -> int | None:
        """The first of these steps from a step on; None after the last."""


class ListedEnds:
    """The steps of a list, in order."""

    def __init__(self, steps: Sequence[int]):
        self._steps, self._all = list(steps), frozenset(steps)

    def __contains__(self, step: int, /) -> bool:
        return step in self._all

    def next(self, step: int) -> int | None:
        """See `Ends`."""
        at = bisect_left(self._steps, step)
        return self._steps[at] if at < len(self._steps) else None


class Windows:
    """The steps (t - K, t] before each end t, for each K of `sizes`; of windows that begin before `first`, what is in
    the run."""

    def __init__(self, sizes: Sequence[int], first: int, ends: Ends):
        self._sizes, self._first, self._ends = tuple(sizes), first, ends

    def has(self, step: int) -> bool:
        """Whether the iterate of this step lies in a window."""
        return self._reaches(step, step - 1)

    def continues(self, step: int) -> bool:
        """Whether a window holds the iterates of this step and of the one before."""
        return self._reaches(step, step - 2)

    def _reaches(self, step: int, start: int) -> bool:
        # Later windows begin later, so the next end is the one to look at.
        end = self._ends.next(step) if self._sizes else None
        return end is not None and max(self._first, end - max(self._sizes)) <= start

    def last_end(self, start: int) -> int:
        """The end of the last window that begins after this step; the step itself where none does."""
        if start == self._first:  # also the windows that would begin before it
            last, end = start, self._ends.next(start + 1)
            while end is not None and end <= start + max(self._sizes):
                last, end = end, self._ends.next(end + 1)
            return last
        return max((start + size for size in self._sizes if start + size in self._ends), default=start)


class RunningAverages:
    """Averages of weights that are given update by update. forms: what to average. first: step of the start."""

    def __init__(self, forms: Sequence[AverageForm], first: int, ends: Ends):
        self._forms, self._first = tuple(forms), first
        self._windows = Windows([form.last for form in forms if form.last], first, ends)
        self._iterate: Tensors = []  # float64; written anew with each one
        self._sum: Tensors | None = None
        self._sums_at_starts: dict[int, Tensors] = {}
        self._emas: dict[str, Tensors] = {}
        self._loaded = False

    def needs(self, step: int) -> bool:
        """Whether a window or an EMA needs the iterate of this step."""
        return any(form.decay for form in self._forms) or self._windows.has(step)

    def add(self, step: int, weights: Tensors) -> None:
        """Take in the iterate of a step, one tensor for each parameter, always in the same order."""
        if self._loaded:
            self._move_to(weights[0].device)
        # Converted once: operations on tensors of two types take the slow way.
        self._iterate = self._iterate or _zeros(weights)
        for own, weight in zip(self._iterate, weights, strict=True):
            own.copy_(weight)
        self._add_to_sum(step)
        for form in self._forms:
            if form.decay:
                ema = self._emas[form.text] = self._emas.get(form.text) or _zeros(weights)
                share = (1 - form.decay) / (1 - form.decay ** (step - self._first))
                torch._foreach_lerp_(ema, self._iterate, share)

    def _add_to_sum(self, step: int) -> None:
        windows = self._windows
        if not windows.continues(step):
            self._sum = None
        if windows.has(step):
            self._sum = self._sum or _zeros(self._iterate)
            torch._foreach_add_(self._sum, self._iterate)
            if windows.last_end(step) > step and windows.continues(step + 1):
                self._sums_at_starts[step] = [total.clone() for total in self._sum]

    def start(self, form: AverageForm, step: int) -> int:
        """The step before the first iterate of an average at a step."""
        return max(self._first, step - form.last) if form.last else self._first

    def average(self, form: AverageForm, step: int) -> Tensors | None:
        """The average at one of the ends, float64, parameter by parameter; None at the start of the run."""
        if step == self._first:
            return None
        if form.decay:
            return self._emas[form.text]
        if self._sum is None:
            raise RuntimeError(f"no sum for the window that ends at step {step}")
        start = self.start(form, step)
        at_start = self._sums_at_starts.get(start)
        totals = self._sum if at_start is None else torch._foreach_sub(self._sum, at_start)
        return list(torch._foreach_div(totals, float(step - start)))

    def forget(self, step: int) -> None:
        """Let go of what only averages up to this step need."""
        for start in [start for start in self._sums_at_starts if self._windows.last_end(start) <= step]:
            del self._sums_at_starts[start]
        if not self._windows.continues(step + 1):
            self._sum = None

    def state_dict(self) -> dict[str, Tensor]:
        """The sums and EMAs, named as `sum/<parameter>`, `sum at 64/<parameter>`, `ema:0.995/<parameter>`."""
        sums = {} if self._sum is None else {_SUM: self._sum}
        sums |= {f"{_SUM_AT}{step}": totals for step, totals in self._sums_at_starts.items()}
        return {
            f"{name}/{k}": tensor for name, totals in (sums | self._emas).items() for k, tensor in enumerate(totals)
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the sums and EMAs; they are moved to the device of the weights with the next iterate."""
        totals: dict[str, Tensors] = {}
        for key in sorted(state, key=lambda key: int(key.rpartition("/")[2])):
            totals.setdefault(key.rpartition("/")[0], []).append(state[key])
        self._sum = totals.pop(_SUM, None)
        at_starts = [name for name in totals if name.startswith(_SUM_AT)]
        self._sums_at_starts = {int(name.removeprefix(_SUM_AT)): totals.pop(name) for name in at_starts}
        self._emas = totals
        self._loaded = True

    def _move_to(self, device: torch.device) -> None:
        for totals in filter(None, (self._sum, *self._sums_at_starts.values(), *self._emas.values())):
            totals[:] = [tensor.to(device) for tensor in totals]
        self._loaded = False


def _zeros(weights: Iterable[Tensor]) -> Tensors:
    return [torch.zeros_like(weight, dtype=torch.float64) for weight in weights]
