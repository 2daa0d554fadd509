"""Where the details of a fit are shown: on the page of loss curves, not on that of a run with measured tokens."""

from zerosum.interference.labelled import StoreFindings
from zerosum.show.report import Report


def is_on_page_of_fits(report: Report) -> bool:
    """Whether the page is about one run with per-token losses, whose loss curve has a page of its own."""
    return len(report.runs) == 1 and bool(report.each(StoreFindings))
