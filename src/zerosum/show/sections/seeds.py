"""The same size trained from several seeds: what the choice of the seed changes."""

from collections.abc import Iterator

from zerosum.comparison import AcrossSeeds
from zerosum.estimate import Estimate
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.table import Column, Table

TITLE = "Over seeds"
PLACE = 70


def absent(report: Report) -> str | None:
    return None if report.across(AcrossSeeds) else ""


def sentences(report: Report) -> Iterator[str]:
    """One size after the other."""
    for size in report.across(AcrossSeeds):
        many = len(size.seeds)
        t_d, L_d, r_d, loss = (_mean(getattr(size, form.symbol), form, many) for form in (n.T_D, n.L_D, n.R_D, n.LOSS))
        yield (
            f"{printable(size.name)}, N\xa0=\xa0{many} seeds: the loss bent at t_d\xa0=\xa0{t_d} and "
            f"L_d\xa0=\xa0{L_d}, and fell on at r_d\xa0=\xa0{r_d}. The last held-out loss was {loss}."
        )
        if size.D:
            first, last = (_mean(pair.D, n.D, many) for pair in (size.D[0], size.D[-1]))
            yield f"{printable(size.name)}: D was {first} over the first doubling and {last} over the last."


def _mean(mean: Estimate, form: n.Form, seeds: int) -> str:
    """The mean with its interval; how many seeds it is from where that is not all of them."""
    about = [] if seeds == mean.N else [f"N\xa0=\xa0{mean.N} {mean.of}"]
    about += [] if mean.interval else [f"no interval: {mean.reason}"]
    return n.text(mean.value, mean.interval, form) + (f" ({'; '.join(about)})" if about else "")


def tables(report: Report) -> Iterator[Table]:
    """One row for each size."""
    columns = (
        Column("size"),
        Column("n_params", "parameters"),
        Column("seeds"),
        Column("t_d", unit="steps", form=n.T_D, interval=True),
        Column("L_d", unit="nats per token", form=n.L_D, interval=True),
        Column("r_d", unit="log-log slope", form=n.R_D, interval=True),
        Column("final_loss", "held-out loss", "nats per token", n.LOSS, interval=True),
        Column("D_first", "D, first doubling", form=n.D, interval=True),
        Column("D_last", "D, last doubling", form=n.D, interval=True),
    )
    unknown = Estimate(float("nan"), reason="not measured")
    rows = tuple(
        (
            *(size.name, size.n_params, ", ".join(map(str, size.seeds))),
            *(size.t_d, size.L_d, size.r_d, size.final_loss),
            *((size.D[0].D, size.D[-1].D) if size.D else (unknown, unknown)),
        )
        for size in report.across(AcrossSeeds)
    )
    yield Table("seeds", "Means over seeds", columns, rows, "Brackets: Student's t-interval over seeds, 95 %.")
