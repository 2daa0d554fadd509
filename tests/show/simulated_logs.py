"""Reports on loss curves of one-break laws with noise, fitted, without any file.

The fits are real; other laws, forecasts and their test, which take seconds to compute, are made up around them.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import Analysis, BacktestRow, Comparison, Fit, Forecast, ModelRow, compare, fit
from zerosum.show.report import Report, Run

HOSTILE = (
    "<script>alert('x')</script>",
    r"\input{/etc/passwd} $\frac{1}{0}$ 50%_a & #b ~c ^d {e} \\",
    '=HYPERLINK("http://evil") {{7*7}} ' + chr(27) + "[31m" + chr(0) + " 名前 😀 \u202e",
)


def curve_of(name: str, steps: int = 2048, seed: int = 0) -> LossCurve:
    step = np.arange(1.0, steps + 1)
    L_d, t_d, c0, r_d, f1 = 3.2, 250.0 * (1 + 0.02 * seed), 0.25, 0.05 + 0.002 * seed, 0.3
    clean = L_d * (step / t_d) ** -c0 * (1 + (step / t_d) ** (1 / f1)) ** ((c0 - r_d) * f1)
    loss = np.minimum(clean, 9.0) * np.exp(np.random.default_rng(seed).normal(0, 0.02, steps))
    said, columns = (f"one thing about {name}",), {"step": "it", "loss": f"{name}/loss"}
    return LossCurve(name, step, loss, source=f"runs/{name}.csv", format="csv", cleaning=said, columns=columns)


def analysis_of(curve: LossCurve) -> Analysis:
    found = fit(curve)
    found = dataclasses.replace(found, models=models_of(found))
    ahead, last = 2 * found.last_step, found.last_step
    told = found.verdict == "decelerates"
    bent = math.nan if not told else float(found.predict(ahead))
    later = (
        Forecast("one-break", ahead, bent, (0.97 * bent, 1.03 * bent) if told else None, "" if told else "cannot tell"),
        Forecast("floor-last-decade", ahead, 0.98 * found.L_T, (0.95 * found.L_T, 1.01 * found.L_T)),
        Forecast("stays", ahead, found.L_T, None, "as it is"),
    )
    earlier = tuple(
        BacktestRow(
            part, part * last, dataclasses.replace(said, T=last, loss=found.L_T * (1 - 0.02 * (1 - part))), found.L_T
        )
        for part in (0.25, 0.5, 0.75)
        for said in later[1:]
    )
    return Analysis(found, later, earlier)


def models_of(found: Fit) -> tuple[ModelRow, ...]:
    rows = found.curve.step >= found.first_step
    slope, level = np.polyfit(np.log(found.curve.step[rows]), np.log(found.curve.loss[rows]), 1)
    line = ModelRow("power law", 2, 0.05, 0.06, {"log_b": float(level), "r": -float(slope)})
    return (line, ModelRow("one break", 5, found.rsle, 0.02, {}))


def report_of(analyses: Sequence[Analysis], pairs: Sequence[Comparison] = ()) -> Report:
    return Report("loss curves", tuple(Run(one.fit.curve.name, (one,)) for one in analyses), tuple(pairs))


def analyses_of(report: Report) -> list[Analysis]:
    return [analysis for _, analysis in report.each(Analysis)]


def logs_of(*names: str) -> Report:
    """The last one is too short to tell anything; every other one is compared with the first."""
    lengths = [2048] * (len(names) - 1) + [40]
    curves = [curve_of(name, length, k) for k, (name, length) in enumerate(zip(names, lengths, strict=True))]
    analyses = tuple(analysis_of(curve) for curve in curves)
    return report_of(analyses, [compare(analyses[0].fit, other.fit) for other in analyses[1:]])


def renamed(report: Report, *names: str) -> Report:
    """The same numbers under other names."""
    to = dict(zip(report.labels, names, strict=True))
    pairs = [dataclasses.replace(pair, a=to[pair.a], b=to[pair.b]) for pair in report.across(Comparison)]
    return report_of([_called(analysis, to[name]) for name, analysis in report.each(Analysis)], pairs)


def _called(one: Analysis, name: str) -> Analysis:
    curve = dataclasses.replace(one.fit.curve, name=name, source=name, cleaning=(name,), columns={"loss": name})
    return dataclasses.replace(one, fit=dataclasses.replace(one.fit, curve=curve))
