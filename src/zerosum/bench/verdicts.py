"""The verdict of an arm and the codes behind it: what was wrong with the comparison, or what the seeds say."""

import math
from collections.abc import Iterator, Mapping, Sequence

from zerosum.bench.answer_record import ArmAnswer, Code, Reason, Verdict
from zerosum.bench.differences import unpaired_seeds
from zerosum.bench.results import ArmKind, ArmResult, BenchResult
from zerosum.comparison import PairedDifference, more_seeds_needed, seeds_needed, verdict_of

OF_CODE: Mapping[str, Verdict] = {
    "identity-failed": "cannot-tell",
    "unpaired": "cannot-tell",
    "baseline-diverged": "cannot-tell",
    "diverged": "diverges",
    "edge": "undertuned",
    "baseline-edge": "undertuned",
    "incomplete": "cannot-tell",
}
"""Verdicts of blocking codes; the first of these decides."""
NOTES: Mapping[Code, str] = {
    "other-batch": "its batches have another size than those of the baseline",
    "other-accumulation": "it accumulates gradients over another number of passes than the baseline",
    "other-clip": "it clips gradients at another norm than the baseline",
    "other-decay": "rate times weight decay is not that of the baseline",
    "other-groups": "weight decay or the method applies to other parameters than in the baseline",
    "other-b2": "its average of squares has another b2; the control is the baseline with that b2, tuned",
    "other-second-rate": "its second rate, of parameters that AdamW updates, is more than twice or less than half the "
    "best rate of the baseline; the control is the arm with its two rates in another proportion",
    "other-warmup": "its warm-up has another length than that of the baseline",
    "other-schedule": "its rate follows another schedule than that of the baseline",
    "no-cooldown": "its rate cannot fall to 0: its last steps are at the full rate",
    "warmup-longer-than-run": "its warm-up is longer than the run, so that the full rate is never reached",
    "weighted-loss": "it trains on a weighted loss; all losses given here are unweighted",
}
"""What an arm differs in beside the method, by the codes of `ArmResult.notes`."""
NULL_ARMS: Mapping[Code, tuple[ArmKind, str]] = {
    "no-placebo": ("placebo", "no placebo was declared: how much chance alone makes of a difference is not shown"),
    "no-half-rate": ("half-rate", "no half rate was declared: that this bench finds a small difference is not shown"),
}
"""What a bench without a null arm does not show."""
FEWEST = 6  # seeds: fewer sign flips cannot have p <= 0.05


def judge(
    arm: ArmResult, result: BenchResult, differences: Mapping[str, PairedDifference], arms: int
) -> tuple[Verdict, tuple[Reason, ...], int | None]:
    """Verdict, reasons, and seeds that would tell. arms: how many are judged together."""
    primary = differences["loss"]
    needed = seeds_needed(primary.sd, result.margin, arms) if math.isfinite(primary.sd) else None
    reasons = [*_blocking(arm, result, primary), *_notes(arm, differences)]
    codes = {reason.code for reason in reasons}
    verdict = next((found for code, found in OF_CODE.items() if code in codes), None)
    if verdict is None:
        verdict = verdict_of(primary, result.margin)
        if verdict == "cannot-tell":
            if needed is not None and needed <= primary.n:
                needed = more_seeds_needed(primary, result.margin, arms)
            reasons.append(_more_seeds(primary, needed))
    return verdict, tuple(reasons), needed


def _blocking(arm: ArmResult, result: BenchResult, primary: PairedDifference) -> Iterator[Reason]:
    if arm.identity is not None and not arm.identity.passed:
        other = arm.identity.baseline or "what it must equal"
        yield _blocks("identity-failed", f"its identity failed: it differs by {arm.identity.error:.2g} from {other}")
    if seeds := unpaired_seeds(arm, result.baseline):
        message = f"seeds {_listed(seeds)} do not share initial weights, batches and held-out tokens with the baseline"
        yield _blocks("unpaired", message)
    if primary.n_baseline_diverged:
        yield _blocks("baseline-diverged", f"{primary.n_baseline_diverged} runs of the baseline diverged")
    if primary.n_diverged:
        yield _blocks("diverged", f"{primary.n_diverged} of {len(result.seeds)} runs diverged")
    if arm.at_edge:
        yield _blocks("edge", f"its best rate, {arm.best_lr:.3g}, lies at the edge of the rates tried")
    if arm.kind == "arm" and result.baseline.at_edge:
        message = f"the best rate of the baseline, {result.baseline.best_lr:.3g}, lies at the edge of the rates tried"
        yield _blocks("baseline-edge", message)
    if missing := {*result.seeds} - (_done(arm) & _done(result.baseline)):
        yield _blocks("incomplete", f"seeds {_listed(missing)} are not finished in both; a verdict waits for all")


def _blocks(code: Code, message: str) -> Reason:
    return Reason(code, "blocking", message)


def _done(arm: ArmResult) -> set[int]:
    return {run.seed for run in arm.runs if not math.isnan(run.loss)}


def _notes(arm: ArmResult, differences: Mapping[str, PairedDifference]) -> Iterator[Reason]:
    breaks = differences["L_d"]
    if breaks.n_censored:
        known = f"{breaks.n} of {breaks.n + breaks.n_censored} pairs have a break that is located in both runs"
        yield Reason("censored", "note", f"{known}; L_d, t_d and r_d are theirs")
    yield from (Reason(code, "note", message) for code, message in NOTES.items() if code in arm.notes)


def _more_seeds(primary: PairedDifference, needed: int | None) -> Reason:
    wanted = "more than 1,000" if needed is None else f"{max(needed, FEWEST)}"
    if primary.n < 2:
        return _blocks("few-seeds", f"{primary.n} pairs; at least {FEWEST} are needed")
    if primary.n < FEWEST:
        return _blocks("few-seeds", f"{primary.n} pairs; needs n = {wanted}")
    return _blocks("more-seeds", f"neither a difference nor its absence is shown; needs n = {wanted}")


def of_null_arms(arms: Sequence[ArmAnswer]) -> Iterator[Reason]:
    """What the placebo and the untuned half rate say of the bench itself, once finished, or by not being there."""
    for arm in arms:
        if any(reason.code == "incomplete" for reason in arm.reasons):
            continue
        if arm.result.kind == "placebo" and arm.verdict in ("better", "worse"):
            message = "the placebo, the baseline on another order of the data, differs from the baseline"
            yield _blocks("placebo-differs", f"{message}: differences of this size are no findings")
        elif arm.result.kind == "placebo" and arm.verdict != "no-difference":
            message = "the placebo is not shown to equal the baseline within the margin"
            yield Reason("placebo-open", "note", f"{message}; needs n = {arm.needed or 'more than 1,000'}")
        if arm.result.kind == "half-rate" and arm.verdict != "worse":
            message = (
                "half the best rate, untuned, is not shown to be worse: this bench would not find such a difference"
            )
            yield Reason("half-rate-not-worse", "note", message)
    there = {arm.result.kind for arm in arms}
    yield from (Reason(code, "note", message) for code, (kind, message) in NULL_ARMS.items() if kind not in there)


def _listed(seeds: set[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))
