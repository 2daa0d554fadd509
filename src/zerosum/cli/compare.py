"""`zerosum compare`: how the difference in loss of two runs splits into L_d, t_d and r_d. A description, no cause."""

from dataclasses import dataclass
from enum import StrEnum
from string import ascii_uppercase
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.options import Fitting, Reading, expand_option_groups
from zerosum.cli.output import Out, make_folder, reported, say_written
from zerosum.cli.progress import following
from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.curves import LossCurve
    from zerosum.deceleration import Analysis, Comparison

SAME_BATCH = 1.02  # factor in tokens, at the same step or of one, up to which steps of two runs are alike


class AxisChoice(StrEnum):
    """What t_d and the length of a run are counted in."""

    STEPS = "steps"
    TOKENS = "tokens"


@dataclass(frozen=True)
class Run:
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
    """`b` against `a`, and what to know about it beside the numbers."""

    a: Run
    b: Run
    comparison: "Comparison"
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The comparison, with what the call named its two sides."""
        return {
            "a_source": self.a.source,
            "b_source": self.b.source,
            **self.comparison.to_json(),
            "notes": list(self.notes),
        }


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
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Say how the loss that B reached differs from that of A, and how this splits into L_d, t_d and r_d.

    Every term is in nats per token, B minus A, with an interval. It describes two curves and names no causes.
    """
    if len(sources) < 2:
        raise InputError(f"{sources[0]}: one log cannot be compared. Give two or more: zerosum compare A B")

    if out is not None:
        make_folder(out)
    analysed = fitting.analyse if out is not None else fitting.fit_alone
    with following(sources, "fitting") as given:
        jobs = ((source, (label(place), source)) for place, source in enumerate(given))
        found, failed = each(jobs, lambda job: Run(*job, analysed(_on_axis(read(job[1]), axis))))
    runs = [run for _, run in found]
    others = [(b.source, (runs[0], b)) for b in runs[1:]] if runs and runs[0].label == label(0) else []
    done, unlike = each(others, lambda pair: _pair(*pair, axis, fitting.level))
    pairs = [pair for _, pair in done]
    failed += unlike
    analyses = [run.analysis for run in runs] if pairs else []
    page, unwritten = reported(out, sources, analyses, [pair.comparison for pair in pairs], failed)
    failed += unwritten
    if as_json:
        used = runs if pairs else []
        print_json(
            "comparisons", [pair.to_json() for pair in pairs], failed, page, curves=[run.to_json() for run in used]
        )
    elif pairs:
        from zerosum.cli.compare_table import show

        show(runs, pairs, axis.value)
        say_written(page)
    finish(failed, len(sources) if pairs and not unwritten else 0)


def label(place: int) -> str:
    """What a run is called in sentences: its own name may be long, or that of another run too.

    >>> label(0), label(26)
    ('A', 'run 27')
    """
    return ascii_uppercase[place] if place < len(ascii_uppercase) else f"run {place + 1}"


def _on_axis(curve: "LossCurve", axis: AxisChoice) -> "LossCurve":
    from zerosum.curves import by_tokens

    return by_tokens(curve) if axis == AxisChoice.TOKENS else curve


def _pair(a: Run, b: Run, axis: AxisChoice, level: float) -> Pair:
    from zerosum import deceleration

    one, other = a.analysis.fit, b.analysis.fit
    notes = _unfair(a, b) if axis == AxisChoice.STEPS else ()
    return Pair(a, b, deceleration.compare(one, other, axis=axis.value, level=level), notes)


def _unfair(a: Run, b: Run) -> tuple[str, ...]:
    """What to know where equal steps are no equal amounts of training, all along or after a batch-size warm-up."""
    from zerosum.curves import tokens_per_step
    from zerosum.show.logs.terms import tokens

    last = min(run.analysis.fit.last_step for run in (a, b))
    seen = [_tokens_at(last, run.analysis.fit.curve) for run in (a, b)]
    late = [tokens_per_step(run.analysis.fit.curve) for run in (a, b)]
    if not any(max(both) > SAME_BATCH * min(both) for both in (seen, late)):
        return ()
    text = (
        f"at step {last:,.0f}, the last that both fits saw, {a.label} had seen {tokens(seen[0])} and {b.label} "
        f"{tokens(seen[1])}; a late step took {late[0]:,.0f} and {late[1]:,.0f} tokens. "
        "Compare by tokens: --axis tokens"
    )
    return (text,)


def _tokens_at(step: float, curve: "LossCurve") -> float:
    """Training tokens that a run had seen at a step; NaN for a log without tokens."""
    import numpy as np

    return float("nan") if curve.tokens is None else float(np.interp(step, curve.step, curve.tokens))
