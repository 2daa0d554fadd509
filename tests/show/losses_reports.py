"""Reports on findings of a small store with hostile names, for tests of their sections and pages."""

from run_stores import Words, hostile_store

from zerosum.interference.labelled import TokenText, findings_of
from zerosum.show.report import Missing, Report, Run


def hostile_findings(**options):
    return findings_of(hostile_store(), text=TokenText(Words()), **options)


def report_on(findings, name="a run", missing=()):
    gaps = tuple(Missing(gap.what, gap.why, code=gap.code) for gap in findings.left_out)
    return Report(
        name, (Run(name, (findings,)),), missing=(*missing, *gaps), provenance={"store": dict(findings.facts)}
    )
