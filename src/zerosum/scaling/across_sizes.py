"""`deceleration`: what size does to L_d, t_d and r_d, from the loss curves of several sizes."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from zerosum.deceleration import fit
from zerosum.deceleration.observed import observe
from zerosum.errors import InputError
from zerosum.scaling.columns import NOT_STATED
from zerosum.scaling.deceleration_record import (
    Ahead,
    DecelerationAcrossSizes,
    HeldOutSize,
    Violation,
    far,
    size_rows,
)
from zerosum.scaling.joint_laws import Gain, JointLaws, joint_laws
from zerosum.scaling.reason import Reason
from zerosum.scaling.run_size import Count
from zerosum.scaling.runs import SizedRun, sized_runs
from zerosum.scaling.size_family import FittedRun, SizeFamily, size_family
from zerosum.scaling.size_laws import QUANTITIES, SizeLaw, size_law

FEWEST_SIZES = 3  # below, no slope in log N has an error that can be seen
SAME_BATCH = 1.02  # factor in tokens per step up to which two runs train alike
SAME_WARM_UP = 1.1  # factor in steps
NORMAL = 1.959964


def deceleration(
    runs: Sequence[Any],
    params: Sequence[Any] | None = None,
    *,
    tokens_per_step: Sequence[float] | float | None = None,
    embeddings: bool = True,
    count: Count | None = None,
    predict: Sequence[float] = (),
    level: float = 0.95,
    **fitting: Any,
) -> DecelerationAcrossSizes:
    """Fit every run, and laws of L_d, t_d and r_d over their sizes.

    runs: loss curves, paths of logs or run folders, or fits, of at least three sizes; with five the laws can be
    identified. params: N of each, as 14000000 or "14M"; without it from a column of the log, by `count`, or from its
    name. tokens_per_step: training tokens of a step, for all runs or for each, where the logs have none. embeddings:
    whether N counts them. count: `zerosum.runs.model_size`, to count the parameters of run folders. predict: further
    sizes, whose loss is predicted. level: of the intervals. fitting: options of `zerosum.fit`.
    Raises InputError for fewer than three sizes whose fits have a break, and as `sized_runs` does.
    """
    sized = sized_runs(runs, params, tokens=tokens_per_step, embeddings=embeddings, count=count)
    fits = [run.fit or fit(run.curve, level=level, **fitting) for run in sized]
    batches = _batches(sized)
    warm_ups = _warm_ups(sized)
    codes: set[str] = {reason.code for reason in (*batches, *warm_ups)}
    in_tokens = "unequal-batches" in codes
    fitted = [FittedRun(run, one, in_tokens) for run, one in zip(sized, fits, strict=True)]
    usable = [one for one in fitted if one.usable]
    _require_sizes(fitted, usable)
    family = size_family(usable)
    laws = three_laws(family, in_tokens, level)
    joint = joint_laws(family, laws, level)
    left_out = [
        Reason("no-break", "note", f"{one.run.name} is not in the laws: {_why(one)}")
        for one in fitted
        if not one.usable
    ]
    size = sized[0].size
    stated = [Reason("N-not-stated", "note", "whether N counts embeddings is not stated")]
    return DecelerationAcrossSizes(
        sizes=size_rows(fitted),
        laws=(*laws.values(), *_other_t_d(family, usable, codes, in_tokens, level)),
        gains=_gains(family, joint),
        violations=_violations(family, laws),
        ahead=tuple(_ahead(family, laws, joint, float(N)) for N in predict),
        held_out=held_out(family, in_tokens, level),
        N_is=size.N_is,
        axis="tokens" if in_tokens else "steps",
        correlation=float(np.median(np.diag(family.correlation, 1))),
        reasons=(*(stated if size.N_is == NOT_STATED else ()), *batches, *warm_ups, *left_out),
        level=level,
        fits=tuple(one.fit for one in fitted),
    )


def _why(one: FittedRun) -> str:
    if one.fit.has_break:
        return one.fit.interval_reasons.get("t_d", "its fit has no errors")
    return next((reason.message for reason in one.fit.reasons if reason.level == "blocking"), one.fit.verdict)


def _require_sizes(fitted: Sequence[FittedRun], usable: Sequence[FittedRun]) -> None:
    sizes = sorted({one.run.size.N for one in usable})
    if len(sizes) >= FEWEST_SIZES:
        return
    listed = ", ".join(f"{N:.4g}" for N in sizes) or "none"
    lost = next((f"; {one.run.label} has none: {_why(one)}" for one in fitted if not one.usable), "")
    label = (fitted[0].run.label if fitted else "runs") + (" and others" if len(fitted) > 1 else "")
    raise InputError(
        f"{label}: {len(sizes)} size{'s' * (len(sizes) != 1)} with a break ({listed}){lost}. Give "
        f"runs of at least {FEWEST_SIZES} sizes; with 5 or more the laws can be identified."
    )


def _batches(runs: Sequence[SizedRun]) -> tuple[Reason, ...]:
    per_step = np.array([run.tokens_per_step for run in runs])
    if np.isnan(per_step).any():
        lacks = next(run for run in runs if math.isnan(run.tokens_per_step))
        text = (
            f"{lacks.name} has no tokens: t_d is compared in steps as if every run took the same tokens in each; "
            "--tokens-per-step N,... states them"
        )
        return (Reason("tokens-not-known", "note", text),)
    if per_step.max() <= SAME_BATCH * per_step.min():
        return ()
    text = f"steps take {per_step.min():,.0f} to {per_step.max():,.0f} tokens: t_d is compared in tokens, not in steps"
    return (Reason("unequal-batches", "note", text),)


def _warm_ups(runs: Sequence[SizedRun]) -> tuple[Reason, ...]:
    seen = [observe(run.curve, stop=True)[1] for run in runs]
    if not all(one.rate_logged for one in seen):
        text = "not every run logs its learning rate: warm-ups are taken as equal, which t_d depends on"
        return (Reason("warm-ups-not-known", "note", text),)
    ends = [one.warm_up_end for one in seen]
    if max(ends) <= SAME_WARM_UP * min(ends):
        return ()
    text = (
        f"warm-ups end at step {min(ends):,.0f} to {max(ends):,.0f}: t_d depends on them; compare t_d_progress, the "
        "sum of learning rates over the largest"
    )
    return (Reason("unequal-warm-ups", "note", text),)


def three_laws(family: SizeFamily, in_tokens: bool, level: float) -> dict[str, SizeLaw]:
    """The laws of L_d, of t_d in steps or tokens, and of r_d."""
    t_d = ("t_d_tokens", "tokens") if in_tokens else ("t_d", "steps")
    named = {"L_d": ("L_d", "nats per token"), "t_d": t_d, "r_d": ("r_d", "")}
    return {
        name: size_law(*named[name], family.N, family.numbers[:, a], family.V[:, a, :, a], level)
        for a, name in enumerate(QUANTITIES)
    }


def _other_t_d(
    family: SizeFamily, runs: Sequence[FittedRun], codes: set[str], in_tokens: bool, level: float
) -> tuple[SizeLaw, ...]:
    """t_d in the other units in which it can be compared."""
    logs = {}
    if "tokens-not-known" not in codes and not in_tokens:
        logs["t_d_tokens", "tokens"] = [math.log(one.tokens_at(one.fit.t_d)) for one in runs]
    if "unequal-warm-ups" in codes:
        logs["t_d_progress", "steps at the full rate"] = [math.log(one.progress_at(one.fit.t_d)) for one in runs]
    V = family.V[:, 1, :, 1]
    return tuple(size_law(*named, family.N, family.mean(values), V, level) for named, values in logs.items())


def _gains(family: SizeFamily, joint: JointLaws) -> tuple[Gain, ...]:
    """Between the smallest and the largest size, then between neighbours; after the length that all runs reach."""
    log_T = float(family.log_last.min())
    N = family.N.tolist()
    pairs = [(N[0], N[-1]), *pairwise(N)]
    return tuple(joint.gain(smaller, larger, log_T) for smaller, larger in pairs)


def _violations(family: SizeFamily, laws: Mapping[str, SizeLaw]) -> tuple[Violation, ...]:
    """Neighbouring sizes whose order contradicts the direction of a law that is shown."""
    found = []
    for a, name in enumerate(QUANTITIES):
        if not laws[name].exponent.excludes(0.0):
            continue
        rise = np.diff(family.numbers[:, a])
        V = family.V[:, a, :, a]
        for k in np.flatnonzero(rise * laws[name].line.slope < 0).tolist():
            sd = math.sqrt(max(V[k, k] + V[k + 1, k + 1] - 2 * V[k, k + 1], 0.0))
            values = family.numbers[k : k + 2, a]
            smaller, larger = (np.exp(values) if laws[name].in_log else values).tolist()
            shown = bool(abs(rise[k]) > NORMAL * sd)
            found.append(Violation(name, float(family.N[k]), float(family.N[k + 1]), smaller, larger, shown))
    return tuple(found)


def _ahead(
    family: SizeFamily, laws: Mapping[str, SizeLaw], joint: JointLaws, N: float, log_T: float | None = None
) -> Ahead:
    log_T = float(family.log_last.max()) if log_T is None else log_T
    numbers = {name: law.predict(N, joint.level) for name, law in laws.items()}
    return Ahead(N, math.exp(log_T), numbers, joint.loss(N, log_T), far(N, family.N))


def held_out(family: SizeFamily, in_tokens: bool, level: float) -> HeldOutSize | None:
    """The largest size by the laws of the others; None with fewer than four."""
    k = len(family.N)
    if k <= FEWEST_SIZES:
        return None
    others = family.rows(np.arange(k) < k - 1)
    laws = three_laws(others, in_tokens, level)
    ahead = _ahead(others, laws, joint_laws(others, laws, level), float(family.N[-1]), float(family.log_last[-1]))
    log_L_d, log_t_d, r_d = family.numbers[-1].tolist()
    measured = {"L_d": math.exp(log_L_d), "t_d": math.exp(log_t_d), "r_d": r_d}
    return HeldOutSize(ahead, measured, math.exp(float(family.log_reached[-1])))
