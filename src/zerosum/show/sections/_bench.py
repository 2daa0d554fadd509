"""What sections on a bench share: its record, names of verdicts and arms, and how they look in every figure."""

from zerosum.bench.answer_record import ArmAnswer, BenchAnswer, SizeAnswer
from zerosum.comparison import PairedDifference
from zerosum.estimate import Estimate
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report

VERDICTS = {
    "better": "better",
    "worse": "worse",
    "no-difference": "no difference",
    "undertuned": "undertuned",
    "diverges": "diverges",
    "cannot-tell": "cannot tell",
}
KINDS = {"arm": "", "placebo": "null arm", "half-rate": "null arm", "bigram": "null arm"}
SIGNED = n.Form("", signed=True)
P = n.Form("", digits=2, most=4)
NATS = "nats per token"


def absent(report: Report) -> str | None:
    """Whether there is a bench to show."""
    return None if report.across(BenchAnswer) else ""


def record(report: Report) -> BenchAnswer:
    """The bench."""
    return report.across(BenchAnswer)[0]


def at(size: SizeAnswer, bench: BenchAnswer) -> str:
    """The size in a heading: empty where there is one alone."""
    return printable(size.result.size.name, 24) if len(bench.sizes) > 1 else ""


def final(size: SizeAnswer) -> str:
    """The loss that decides, and on how many tokens it is measured."""
    tokens = size.result.final_tokens
    return "held-out loss after the cooldown" + (f", on {n.counted(tokens, 'token')}" if tokens else "")


def trained(size: SizeAnswer) -> list[ArmAnswer]:
    """Every arm but the table of bigrams."""
    return [arm for arm in size.arms if arm.result.kind != "bigram"]


def looks(bench: BenchAnswer) -> dict[str, "d.RunStyle"]:
    """How each arm is drawn, the same in all figures: competing arms in colours, the others in ink and grey."""
    every = [arm for size in bench.sizes for arm in trained(size)]
    competing = list(dict.fromkeys(arm.name for arm in every if arm.result.kind == "arm"))
    null = list(dict.fromkeys(arm.name for arm in every if arm.result.kind != "arm"))
    baseline = bench.sizes[0].baseline.result.name
    grey = zip(null, d.MARKERS[4:], d.LINES[2:], strict=False)
    return (
        {baseline: d.RunStyle(d.INK, "o", "-", printable(baseline, 28), 1.0)}
        | dict(zip(competing, d.run_styles(competing), strict=True))
        | {name: d.RunStyle(d.MUTED, marker, line, printable(name, 28), 1.0) for name, marker, line in grey}
    )


def handles(bench: BenchAnswer) -> list["d.Line2D"]:
    """Legend entries of the baseline and of every arm with a finished run."""
    there = {arm.name for size in bench.sizes for arm in trained(size) if arm.result.runs}
    there.add(bench.sizes[0].baseline.result.name)
    return d.run_handles([look for name, look in looks(bench).items() if name in there])


def verdict(arm: ArmAnswer) -> str:
    """Its verdict in words."""
    return VERDICTS[arm.verdict] if arm.verdict else "—"


def in_words(estimate: Estimate, form: n.Form = SIGNED) -> str:
    """A signed number, its interval and its unit on one line."""
    return " ".join(filter(None, (*n.written(estimate.value, estimate.interval, form), form.unit)))


def of_baseline(difference: PairedDifference) -> str:
    """A difference beside the baseline's own value: "+0.051 [+0.027, +0.075] of the baseline's 2.29"."""
    return f"{in_words(difference.mean)} of the baseline's {n.number(difference.baseline, 2)}"


def p_value(p: float) -> str:
    """A p value; a dash where there is none.

    >>> p_value(0.03125), p_value(0.0001), p_value(float("nan"))
    ('0.031', '0.0001', '—')
    """
    return n.number(p, n.decimals(p, None, P))


def pairs(difference: PairedDifference) -> str:
    """How many pairs, and what p is."""
    return f"p\xa0=\xa0{p_value(difference.p)}, {n.counted(difference.n, 'pair')}"
