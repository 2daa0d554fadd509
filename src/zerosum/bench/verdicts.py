"""The verdict of an arm and the codes behind it: what was wrong with the comparison, or what the seeds say."""

import math
from collections.abc import Iterator, Mapping, Sequence

from zerosum.bench.answer_record import ArmAnswer, Code, Reason, Verdict
from zerosum.bench.differences import unpaired_seeds
from zerosum.bench.results import ArmResult, BenchResult
from zerosum.comparison import PairedDifference, seeds_needed, verdict_of

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
            reasons.append(_more_seeds(primary, needed))
    return verdict, tuple(reasons), needed


def _blocking(arm: ArmResult, result: BenchResult, primary: PairedDifference) -> Iterator[Reason]:
    def reason(code: Code, message: str) -> Reason:
        return Reason(code, "blocking", message)

    if arm.identity is not None and not arm.identity.passed:
        other = arm.identity.baseline or "what it must equal"
        yield reason("identity-failed", f"its identity failed: it differs by {arm.identity.error:.2g} from {other}")
    if seeds := unpaired_seeds(arm, result.baseline):
        message = f"seeds {_listed(seeds)} do not share initial weights, batches and held-out tokens with the baseline"
        yield reason("unpaired", message)
    if primary.n_baseline_diverged:
        yield reason("baseline-diverged", f"{primary.n_baseline_diverged} runs of the baseline diverged")
    if primary.n_diverged:
        yield reason("diverged", f"{primary.n_diverged} of {len(result.seeds)} runs diverged")
    if arm.at_edge:
        yield reason("edge", f"its best rate, {arm.best_lr:.3g}, lies at the edge of the rates tried")
    if arm.kind == "arm" and result.baseline.at_edge:
        message = f"the best rate of the baseline, {result.baseline.best_lr:.3g}, lies at the edge of the rates tried"
        yield reason("baseline-edge", message)
    if missing := {*result.seeds} - _done(arm) & _done(result.baseline):
        yield reason("incomplete", f"seeds {_listed(missing)} are not finished in both; a verdict waits for all")


def _done(arm: ArmResult) -> set[int]:
    return {run.seed for run in arm.runs if not math.isnan(run.loss)}


def _notes(arm: ArmResult, differences: Mapping[str, PairedDifference]) -> Iterator[Reason]:
    for name in ("L_d", "M_equal_loss"):
        one = differences[name]
        if one.n_censored and one.n:
            message = (
                f"{name} is known in {one.n} of {one.n + one.n_censored} pairs; the others are left out of its mean"
            )
            yield Reason("censored", "note", message)
    for note in arm.notes:
        yield Reason("differs", "note", f"{note.replace('-', ' ')} than the baseline")


def _more_seeds(primary: PairedDifference, needed: int | None) -> Reason:
    wanted = "more than 1,000" if needed is None else f"{max(needed, FEWEST)}"
    if primary.n < 2:
        return Reason("few-seeds", "blocking", f"{primary.n} pairs; at least {FEWEST} are needed")
    if primary.n < FEWEST:
        return Reason("few-seeds", "blocking", f"{primary.n} pairs; needs n = {wanted}")
    return Reason("more-seeds", "blocking", f"neither a difference nor its absence is shown; needs n = {wanted}")


def of_null_arms(arms: Sequence[ArmAnswer]) -> Iterator[Reason]:
    """What the placebo and the untuned half rate say of the bench itself."""
    for arm in arms:
        if arm.result.kind == "placebo" and arm.verdict in ("better", "worse"):
            message = "the placebo, the baseline on another order of the data, differs from the baseline"
            yield Reason("placebo-differs", "blocking", f"{message}: differences of this size are no findings")
        elif arm.result.kind == "placebo" and arm.verdict != "no-difference":
            message = "the placebo is not shown to equal the baseline within the margin"
            yield Reason("placebo-open", "note", f"{message}; needs n = {arm.needed or 'more than 1,000'}")
        if arm.result.kind == "half-rate" and arm.verdict != "worse":
            message = (
                "half the best rate, untuned, is not shown to be worse: this bench would not find such a difference"
            )
            yield Reason("half-rate-not-worse", "note", message)


def _listed(seeds: set[int]) -> str:
    return ", ".join(map(str, sorted(seeds)))
