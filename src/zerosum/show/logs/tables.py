"""The table of fits that the old page of one run still shows."""

from zerosum.deceleration import Analysis
from zerosum.show import numbers as n
from zerosum.show.logs.subject import Logs
from zerosum.show.tables import Cell, Table, fitted
from zerosum.show.words import BREAKS, VERDICTS


def fits(logs: Logs) -> Table:
    """Every curve with the numbers of its break."""
    columns = (
        ("Curve", ""),
        ("Verdict", ""),
        ("t_d", "steps"),
        ("L_d", "nats per token"),
        ("r_d", "log-log slope"),
        ("L_T", "loss reached, nats; L_T_hat: the line at the same step"),
        ("RSLE", "misfit of log loss"),
        ("N", "losses fitted, in points"),
    )
    return Table("Every curve", columns, tuple(_fit(name, one) for name, one in logs.named))


def _fit(name: str, one: Analysis) -> tuple[Cell, ...]:
    fit = one.fit
    predicted = n.text(fit.L_T_hat, None, n.LOSS, unit=False) if fit.verdict in BREAKS else "—"
    return (
        Cell(name),
        Cell(VERDICTS[fit.verdict], note=", ".join(dict.fromkeys(reason.code for reason in fit.reasons))),
        *(fitted(fit, form) for form in (n.T_D, n.L_D, n.R_D)),
        Cell(n.text(fit.L_T, None, n.LOSS, unit=False), f"L_T_hat {predicted}", "no intervals"),
        Cell(n.text(fit.rsle, None, n.RSLE)),
        Cell(n.count(fit.n_points), f"{n.count(fit.n_bins)} points"),
    )
