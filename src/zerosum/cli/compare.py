"""`zerosum compare`: how the difference in loss of two runs splits into L_d, t_d and r_d. A description, no cause."""

from dataclasses import dataclass, replace
from enum import StrEnum
from string import ascii_uppercase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.options import Fitting, Reading, expand_option_groups
from zerosum.cli.output import Answer, curves_report, make_folder, read_from
from zerosum.cli.progress import following
from zerosum.cli.sources import EXIT_CODES, Failure, as_document, each, finish
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.curves import LossCurve
    from zerosum.deceleration import Analysis, Comparison
    from zerosum.show.report import Report


class AxisChoice(StrEnum):
    """What t_d and the length of a run are counted in."""

    STEPS = "steps"
    TOKENS = "tokens"


@dataclass(frozen=True)
class FittedRun:
    """One run of a comparison. label: A, B, ... in the order of the call. source: as it was given there.

    analysis: with other laws and forecasts where a report is written.
    """

    label: str
    source: str
    analysis: "Analysis"

    def to_json(self) -> dict[str, Any]:
        """The fit that the terms were computed from, as in `zerosum fit --json`, and what the call named it."""
        from zerosum.curves import tokens_per_step

        per_step = tokens_per_step(self.analysis.fit.curve)
        unknown = {"tokens_per_step": None, "tokens_per_step_reason": "no tokens in this log"}
        tokens = {"tokens_per_step": per_step} if per_step == per_step else unknown
        return {"label": self.label, "source_given": self.source, **tokens, **self.analysis.fit.to_json()}


@dataclass(frozen=True)
class Pair:
    """`b` against `a`."""

    a: FittedRun
    b: FittedRun
    comparison: "Comparison"

    def to_json(self) -> dict[str, Any]:
        """The comparison, what the call named its two sides, and a note where equal steps are unequal training."""
        from zerosum.show.sections.differences import batches_note

        batches = self.comparison.batches
        notes = [] if batches is None else [batches_note(batches, self.a.label, self.b.label)]
        sources = {"a_source": self.a.source, "b_source": self.b.source}
        return {**sources, **self.comparison.to_json(), "notes": notes}


GROUP = "compare"
EPILOG = EXIT_CODES


@expand_option_groups
def compare(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A B",
            help="Loss logs, as for zerosum fit: each after the first is compared with the first.",
            show_default=False,
        ),
    ],
    *,
    axis: Annotated[
        AxisChoice, typer.Option(help="tokens: count in training tokens, which is fair to runs of other batch sizes.")
    ] = AxisChoice.STEPS,
    fitting: Fitting,
    read: Reading,
    answer: Answer,
) -> None:
    """Say how the loss that B reached differs from that of A, and how this splits into L_d, t_d and r_d.

    Every term is in nats per token, B minus A, with an interval. It describes two curves and names no causes.
    """
    if len(sources) < 2:
        raise InputError(f"{sources[0]}: one log cannot be compared. Give two or more: zerosum compare A B")
    make_folder(answer.out)
    analyse = fitting.analyse if answer.out is not None else fitting.fit_alone
    with following(sources, "fitting") as given:
        jobs = ((source, (label(place), source)) for place, source in enumerate(given))
        done, failed = each(jobs, lambda job: FittedRun(*job, analyse(_on_axis(read(job[1]), axis))))
    runs = [run for _, run in done]
    pairs, unlike = _pairs(runs, axis, fitting.level)
    failed += unlike
    runs = runs if pairs else []
    unwritten = answer.give(
        _report(runs, pairs) if pairs else None,
        "comparisons",
        [pair.to_json() for pair in pairs],
        failed,
        _documents(runs, pairs, failed),
        sources=read_from(sources, [run.analysis for run in runs]),
        curves=[run.to_json() for run in runs],
    )
    finish(failed + unwritten, len(sources) if pairs and not unwritten else 0)


def label(place: int) -> str:
    """Short label of a run for sentences: names may be long, or shared by two runs.

    >>> label(0), label(26)
    ('A', 'run 27')
    """
    return ascii_uppercase[place] if place < len(ascii_uppercase) else f"run {place + 1}"


def _on_axis(curve: "LossCurve", axis: AxisChoice) -> "LossCurve":
    from zerosum.curves import by_tokens

    return by_tokens(curve) if axis == AxisChoice.TOKENS else curve


def _pairs(runs: list[FittedRun], axis: AxisChoice, level: float) -> tuple[list[Pair], list[Failure]]:
    """Each run against the first; none where the first could not be fitted."""
    from zerosum import deceleration

    def pair(both: tuple[FittedRun, FittedRun]) -> Pair:
        fits = (run.analysis.fit for run in both)
        return Pair(*both, deceleration.compare(*fits, axis=axis.value, level=level))

    others = [(b.source, (runs[0], b)) for b in runs[1:]] if runs and runs[0].label == label(0) else []
    done, failed = each(others, pair)
    return [compared for _, compared in done], failed


def _report(runs: list[FittedRun], pairs: list[Pair]) -> "Report":
    """Runs that share a name are numbered, in the comparisons too."""
    report = curves_report([run.analysis for run in runs])
    names = dict(zip((run.label for run in runs), report.labels, strict=True))
    comparisons = (replace(pair.comparison, a=names[pair.a.label], b=names[pair.b.label]) for pair in pairs)
    return replace(report, shared=tuple(comparisons))


def _documents(runs: list[FittedRun], pairs: list[Pair], failed: list[Failure]) -> dict[str, Any]:
    return {
        "fits.json": as_document("curves", [run.analysis.to_json() for run in runs], failed),
        "comparisons.json": as_document("comparisons", [pair.comparison.to_json() for pair in pairs], failed),
    }
