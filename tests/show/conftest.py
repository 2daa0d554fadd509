import dataclasses
from pathlib import Path

import pytest
import simulated_logs
from synthetic_suite import curve_of, renamed, suite

from zerosum.deceleration import fit
from zerosum.show import RunSummary, SuiteSummary, folder, write_report
from zerosum.show.report import Report

HOSTILE = (
    "<script>alert('x')</script>",
    '$\\frac{1}{0}$ =HYPERLINK("http://evil") {{7*7}} \x1b[31m\x00',
    "../../etc/passwd",
)


@pytest.fixture(scope="session")
def three_sizes() -> SuiteSummary:
    return suite()


@pytest.fixture(scope="session")
def hostile(three_sizes: SuiteSummary) -> SuiteSummary:
    renamed_runs = renamed(three_sizes, *HOSTILE)
    return dataclasses.replace(
        renamed_runs, title="<img src=x onerror=alert(1)>", provenance={"<b>k</b>": "</dl><script>alert(2)</script>"}
    )


@pytest.fixture(scope="session")
def hostile_page(hostile: SuiteSummary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(hostile, tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="session")
def hostile_logs() -> Report:
    return simulated_logs.renamed(simulated_logs.logs_of("a", "b", "c"), *simulated_logs.HOSTILE)


@pytest.fixture(scope="session")
def hostile_logs_page(hostile_logs: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    provenance = {"<b>k</b>": "</dl><script>alert(2)</script>", "versions": {"zerosum": "0.1.0"}, "nothing": {}}
    report = dataclasses.replace(hostile_logs, provenance=provenance)
    documents = {"fits.json": {"curves": []}}
    return folder.write(report, tmp_path_factory.mktemp("logs"), documents)


@pytest.fixture
def short_run(three_sizes: SuiteSummary) -> RunSummary:
    """A run that ended after 40 steps: its fit cannot tell."""
    curve = curve_of("short", 2.6, 170.0, 0.17, 0)
    curve = dataclasses.replace(curve, step=curve.step[:40], loss=curve.loss[:40])
    run = dataclasses.replace(three_sizes.runs[0], name="short", steps=40, curve=curve, fit=fit(curve, cutoff=20))
    assert run.fit.verdict == "cannot-tell"
    return run
