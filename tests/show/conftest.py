import dataclasses
from pathlib import Path

import pytest
import simulated_logs
from bench_results import made_up
from synthetic_suite import curve_of, renamed, suite

from zerosum.bench.answer import answer
from zerosum.deceleration import Analysis, fit
from zerosum.show import folder
from zerosum.show.report import Report, Run

HOSTILE = (
    "<script>alert('x')</script>",
    '$\\frac{1}{0}$ =HYPERLINK("http://evil") {{7*7}} \x1b[31m\x00',
    "../../etc/passwd",
)


@pytest.fixture(scope="session")
def three_sizes() -> Report:
    return suite()


@pytest.fixture(scope="session")
def hostile(three_sizes: Report) -> Report:
    provenance = {"<b>k</b>": "</dl><script>alert(2)</script>"}
    return dataclasses.replace(
        renamed(three_sizes, *HOSTILE), title="<img src=x onerror=alert(1)>", provenance=provenance
    )


@pytest.fixture(scope="session")
def hostile_page(hostile: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder.write(hostile, tmp_path_factory.mktemp("hostile"), {"summary.json": {"runs": []}}, for_print=False)


@pytest.fixture(scope="session")
def hostile_logs() -> Report:
    return simulated_logs.renamed(simulated_logs.logs_of("a", "b", "c"), *simulated_logs.HOSTILE)


@pytest.fixture(scope="session")
def hostile_logs_page(hostile_logs: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    provenance = {"<b>k</b>": "</dl><script>alert(2)</script>", "versions": {"zerosum": "0.1.0"}, "nothing": {}}
    report = dataclasses.replace(hostile_logs, provenance=provenance)
    documents = {"fits.json": {"curves": []}}
    return folder.write(report, tmp_path_factory.mktemp("logs"), documents)


@pytest.fixture(scope="session")
def hostile_bench_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bench, drawn, whose first arms have hostile names."""
    result = made_up()
    arms = tuple(dataclasses.replace(arm, name=name) for arm, name in zip(result.arms, HOSTILE, strict=False))
    bench = answer([dataclasses.replace(result, arms=(*arms, *result.arms[len(HOSTILE) :]))])
    report = Report("<img src=x onerror=alert(1)>", (), (bench,))
    return folder.write(report, tmp_path_factory.mktemp("bench"), {"bench.json": {"arms": []}}, for_print=False)


@pytest.fixture
def short_run(three_sizes: Report) -> Run:
    """A run that ended after 40 steps: its fit cannot tell."""
    curve = curve_of("short", 2.6, 170.0, 0.17, 0)
    curve = dataclasses.replace(curve, step=curve.step[:40], loss=curve.loss[:40], lr=None)
    analysis = Analysis(fit(curve, cutoff=20), (), ())
    assert analysis.fit.verdict == "cannot-tell"
    facts, _, findings = three_sizes.runs[0].records
    return Run("short", (dataclasses.replace(facts, steps=40), analysis, findings), 0)
