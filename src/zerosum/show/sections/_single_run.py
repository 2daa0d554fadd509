"""Sections that show the findings of one run at a time."""

from zerosum.interference.labelled import StoreFindings
from zerosum.show.report import Report

ONE_AT_A_TIME = "shown for one run at a time: zerosum report RUN"


def absent_of_several(report: Report) -> str | None:
    """Why a section for a single run has nothing to show, None where the report has one run with findings."""
    number = len(report.each(StoreFindings))
    return None if number == 1 else ONE_AT_A_TIME if number else ""


def findings_of(report: Report) -> StoreFindings:
    """The findings of the one run that has some."""
    findings = report.only(StoreFindings)
    if findings is None:
        raise ValueError("a section for a single run was asked about several")
    return findings
