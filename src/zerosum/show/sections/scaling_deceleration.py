"""Deceleration across sizes: L_d, t_d and r_d against N with their laws, and what of a gain comes from each."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from zerosum.estimate import Estimate
from zerosum.scaling import DecelerationAcrossSizes, SizeLaw
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _scaling_deceleration_tables as t
from zerosum.show.table import Table

TITLE = "Deceleration across sizes"
PLACE = 74
HOW_TO_READ = (
    "Dots: the numbers of each size, with the intervals of their fits. Neighbouring sizes share most of these errors, "
    "so that a law can be surer than the dots. Line and band: the law and its interval. Rings: two neighbours whose "
    "order contradicts the law. L_d and t_d are on logarithmic axes, r_d is not, because its interval may contain 0."
)
WORDS = {
    "L_d": "larger models break at a {} loss",
    "t_d": "larger models break {}",
    "t_d_tokens": "larger models break {} in tokens",
    "t_d_progress": "larger models break {} in steps at the full rate",
    "r_d": "larger models keep a {} rate after the break",
}
FALLING = {"L_d": "lower", "r_d": "lower"}
RISING = {"L_d": "higher", "r_d": "higher"}
FORMS = {"L_d": n.L_D, "t_d": n.T_D, "r_d": n.R_D}
LABELS = {
    "L_d": "L_d (nats per token)",
    "t_d": "t_d (steps)",
    "t_d_tokens": "t_d (tokens)",
    "t_d_progress": "t_d (steps at the full rate)",
    "r_d": "r_d",
}
WRITTEN = {"t_d_tokens": n.params}
ERROR = n.Form("", "%", scale=100.0, signed=True, places=1)
MOST_PAIRS = 2  # on one screen

tables = t.tables


def absent(report: Report) -> str | None:
    return None if report.across(DecelerationAcrossSizes) else ""


def headline(report: Report) -> str:
    across = t.record(report)
    laws = _distinct(across)
    shown = [_finding(law) for law in laws if law.verdict == "identified"]
    unknown = [law.quantity for law in laws if law.verdict != "identified"]
    listed = " and ".join(filter(None, (", ".join(unknown[:-1]), *unknown[-1:])))
    parts = [*shown, f"not shown: how {listed} depend{'s' * (len(unknown) == 1)} on N"]
    sentence = "; ".join(parts if unknown else shown)
    used = [row.n_params for row in across.sizes if row.in_laws]
    return f"{len(used)} sizes, {n.params(used[0])} to {n.params(used[-1])}: {sentence}."


def _distinct(across: DecelerationAcrossSizes) -> list[SizeLaw]:
    """The laws, without that of t_d in tokens where steps of equal batches say the same."""
    return [law for law in across.laws if law.quantity != "t_d_tokens" or across.axis == "tokens"]


def _why(across: DecelerationAcrossSizes, *levels: str) -> Iterator[str]:
    """Reasons of the laws, each once, apart from those that the headline gives."""
    reasons = [reason for law in _distinct(across) for reason in law.reasons if reason.code != "sign-not-shown"]
    yield from dict.fromkeys(_sentence(reason.message) for reason in reasons if reason.level in levels)


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{printable(message[1:], 400)}."


def _finding(law: SizeLaw) -> str:
    falls = law.exponent.value < 0
    adverb = (FALLING if falls else RISING).get(law.quantity, "earlier" if falls else "later")
    return WORDS[law.quantity].format(adverb)


def sentences(report: Report) -> Iterator[str]:
    """What is shown, what is not, where the gain comes from, and how well the largest size was predicted."""
    across = t.record(report)
    yield headline(report)
    yield from _why(across, "blocking", "note")
    yield _gain(across)
    yield from _orders(across)
    yield from _held_out(across)
    yield (
        f"Misfits of neighbouring sizes correlate by {n.number(across.correlation, 2)}; N counts "
        f"parameters {across.N_is if across.N_is != 'not stated' else '(with or without embeddings is not stated)'}."
    )


def answer(report: Report) -> Iterator[Table | str]:
    """The sizes, the laws, the gain, and what contradicts the laws."""
    across = t.record(report)
    yield t.sizes(across, short=True)
    for law in _distinct(across):
        exponent = n.text(law.exponent.value, law.exponent.interval, n.Form("b"))
        yield f"{law.form:<24} b {exponent}  {law.verdict.replace('-', ' ')}"
    yield from _why(across, "blocking")
    yield _gain(across)
    yield from _orders(across)
    yield from _held_out(across)
    for one in across.ahead:
        loss = n.text(one.loss.value, one.loss.interval, n.LOSS)
        far = "; far beyond the sizes fitted" if one.reasons else ""
        yield f"{n.params(one.n_params)} at {t.length(across, one.T)} by the laws: loss {loss}{far}"


def _gain(across: DecelerationAcrossSizes) -> str:
    gain = across.gains[0]
    parts = ", ".join(f"{name} {n.percent(share.value, share.interval)}" for name, share in gain.shares.items())
    return (
        f"From {n.params(gain.smaller)} to {n.params(gain.larger)} at {t.length(across, gain.T)}: "
        f"{n.text(gain.total.value, gain.total.interval, n.LOSS)}; of this {parts}."
        f"{' No intervals: ' + gain.total.reason + '.' if gain.total.interval is None else ''}"
    )


def _orders(across: DecelerationAcrossSizes) -> Iterator[str]:
    pairs = [
        f"{one.quantity} {n.number(one.at_smaller, _places(one.quantity))} at {n.params(one.smaller)} and "
        f"{n.number(one.at_larger, _places(one.quantity))} at {n.params(one.larger)}"
        f"{'' if one.shown else ' (within errors)'}"
        for one in across.violations
    ]
    if pairs:
        more = f"; and {len(pairs) - MOST_PAIRS} more" if len(pairs) > MOST_PAIRS else ""
        yield f"Against the order of the laws: {'; '.join(pairs[:MOST_PAIRS])}{more}."


def _places(quantity: str) -> int:
    return {"L_d": 3, "r_d": 4}.get(quantity, 0)


def _held_out(across: DecelerationAcrossSizes) -> Iterator[str]:
    held = across.held_out
    if held is None:
        return
    loss = n.text(held.ahead.loss.value, held.ahead.loss.interval, n.LOSS)
    yield (
        f"Held out, {n.params(held.ahead.n_params)} is predicted to reach {loss}; it reached "
        f"{n.number(held.reached, 3)} (error {n.written(held.error, None, ERROR)[0]} %)."
    )


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """L_d, t_d and r_d against N, each with its law and band."""
    across = t.record(report)
    with d.style():
        fig, axes = d.panels(len(across.laws), layout, height=3.2, columns=3 if len(across.laws) <= 3 else 2)
        for ax, law in zip(axes, across.laws, strict=True):
            _panel(ax, across, law)
        handles = [
            d.entry("size, with its fit's interval", color=d.SERIES[0], marker="o", linestyle=""),
            d.entry("law and its interval", color=d.INK),
        ]
        if across.violations:
            handles.append(
                d.entry("against the order of the law", color=d.SERIES[1], marker="o", linestyle="", fillstyle="none")
            )
        d.legend_below(fig, handles, layout)
    return fig


def _panel(ax: "d.Axes", across: DecelerationAcrossSizes, law: SizeLaw) -> None:
    points = [(row.n_params, _of(row, law.quantity)) for row in across.sizes if row.in_laws]
    points = [(N, one) for N, one in points if one.known]
    N = np.geomspace(across.sizes[0].n_params / 1.15, across.sizes[-1].n_params * 1.15, 80)
    low, high = law.interval(N, across.level)
    ax.fill_between(N, low, high, color=d.INK, alpha=0.12, linewidth=0)
    ax.plot(N, law.value(N), color=d.INK, linewidth=1.3)
    for at, one in points:
        if one.interval:
            ax.plot([at, at], one.interval, color=d.SERIES[0], linewidth=1)
        ax.plot([at], [one.value], color=d.SERIES[0], marker="o", linestyle="")
    for pair in (
        one for one in across.violations if one.quantity == law.quantity or _is_main(across, law, one.quantity)
    ):
        known = {at: one.value for at, one in points}
        both = [at for at in (pair.smaller, pair.larger) if at in known]
        ax.plot(
            both,
            [known[at] for at in both],
            color=d.SERIES[1],
            marker="o",
            markersize=9,
            fillstyle="none",
            linestyle="",
        )
    d.log_axis(ax, "x", N.tolist(), pad=1.0, most=5, write=n.params)
    ends = [end for _, one in points for end in (one.interval or (one.value,))]
    if law.in_log:
        d.log_axis(
            ax, "y", [*ends, *low.tolist(), *high.tolist()], pad=1.03, most=6, write=WRITTEN.get(law.quantity, d.plain)
        )
    else:
        ax.axhline(0.0, color=d.MUTED, linewidth=0.8)
    ax.set_title(f"{law.quantity}: {law.verdict.replace('-', ' ')}")
    ax.set_xlabel("parameters N")
    ax.set_ylabel(LABELS[law.quantity])


def _is_main(across: DecelerationAcrossSizes, law: SizeLaw, quantity: str) -> bool:
    """Whether a law of t_d in tokens is the one that violations of t_d are about."""
    return quantity == "t_d" and across.axis == "tokens" and law.quantity == "t_d_tokens"


def _of(row: Any, quantity: str) -> Estimate:
    return getattr(row, quantity, None) or Estimate(float("nan"), reason="not shown for single sizes")


alt = with_sentences("L_d, t_d and r_d against the number of parameters, each with its law and interval.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each size: its numbers with intervals, and the laws there."""
    across = t.record(report)
    rows = []
    for row in across.sizes:
        values: dict[str, Any] = {"run": " + ".join(row.runs), "n_params": row.n_params}
        for law in across.laws:
            one = _of(row, law.quantity)
            low, high = one.interval or (float("nan"), float("nan"))
            by_law = law.interval(np.array([row.n_params]), across.level)[:, 0].tolist()
            values |= {
                law.quantity: one.value,
                f"{law.quantity}_low": low,
                f"{law.quantity}_high": high,
                f"{law.quantity}_law": float(law.value(row.n_params)),
                f"{law.quantity}_law_low": by_law[0],
                f"{law.quantity}_law_high": by_law[1],
            }
        rows.append(values)
    return rows
