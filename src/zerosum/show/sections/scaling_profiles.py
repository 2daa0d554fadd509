"""Profiles of the exponents and the floor of a law: the objective with one of them held and all others refitted."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from zerosum.scaling import LawFit
from zerosum.scaling.profile import Profile
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.section import with_sentences

TITLE = "How well the exponents are determined"
PLACE = 75.2
HOW_TO_READ = (
    "One parameter is held, all others are refitted: by how much the objective rises above its minimum, as a "
    "multiple of the rise at the ends of the 95 % interval (dashed line). Where the curve stays below that line, "
    "the data are compatible with the value. Grey: the interval."
)
HIGHEST = 6.0  # rise over that of the interval's ends, above which nothing is drawn


def absent(report: Report) -> str | None:
    return None if report.across(LawFit) else ""


def sentences(report: Report) -> Iterator[str]:
    """The profile intervals of each law."""
    for fit in report.across(LawFit):
        shown = "; ".join(_interval(profile) for profile in fit.profiles)
        yield f"{fit.law}: values that fit about as well as the best, each with all others refitted: {shown}."


def _interval(profile: Profile) -> str:
    name, value, (low, high) = _in_nats(profile)
    ends = (low, high) if math.isfinite(low) and math.isfinite(high) else None
    if ends:
        return f"{name} {n.text(value, ends, n.PLAIN)}"
    sides = {(True, False): f"up to {high:.3g}", (False, True): f"from {low:.3g}", (True, True): "any value"}
    return f"{name} {sides[not math.isfinite(low) or low == 0.0, not math.isfinite(high)]}"


def _in_nats(profile: Profile) -> tuple[str, float, tuple[float, float]]:
    """Name, value at the minimum and interval; of E instead of log E."""
    best = float(profile.value[profile.rise.argmin()])
    if profile.parameter != "log_E":
        return profile.parameter, best, profile.interval
    low, high = (float(np.exp(end)) for end in profile.interval)
    return "E", float(np.exp(best)), (-math.inf if low == 0.0 else low, high)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """One panel for each law and parameter."""
    pairs = [(fit, profile) for fit in report.across(LawFit) for profile in fit.profiles]
    with d.style():
        fig, axes = d.panels(len(pairs), layout, height=2.6, columns=3)
        for ax, (fit, profile) in zip(axes, pairs, strict=True):
            _draw(ax, fit, profile)
    return fig


def _draw(ax: "d.Axes", fit: LawFit, profile: Profile) -> None:
    name, best, ends = _in_nats(profile)
    value = np.exp(profile.value) if name == "E" else profile.value
    rise = profile.rise / profile.threshold
    near = rise <= HIGHEST
    ax.plot(value[near], rise[near], color=d.SERIES[0], marker="o", markersize=3)
    ax.axhline(1.0, color=d.MUTED, linewidth=1, linestyle=(0, (4, 2)))
    low, high = (min(max(end, float(value[near].min())), float(value[near].max())) for end in ends)
    ax.axvspan(low, high, color=d.RANGE, zorder=0)
    ax.axvline(best, color=d.MUTED, linewidth=1)
    ax.set_ylim(-0.1, HIGHEST)
    ax.set_title(fit.law)
    ax.set_xlabel("E (nats per token)" if name == "E" else name)
    ax.set_ylabel("rise of the objective")


alt = with_sentences("Rise of the objective with one parameter held.", sentences)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each value at which a parameter was held."""
    return [
        {"law": fit.law, "parameter": one.parameter, "value": value, "rise": rise, "threshold": one.threshold}
        for fit in report.across(LawFit)
        for one in fit.profiles
        for value, rise in zip(one.value.tolist(), one.rise.tolist(), strict=True)
    ]
