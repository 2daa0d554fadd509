"""Explains every reason of a verdict: the text of `zerosum explain` and of docs/reasons.md.

Thresholds in the text are read from the checks themselves. To add a reason, add its code to `_record.ReasonCode` and
its page to `pages_of_the_break.py` or `pages_of_the_run.py`, in the order of the codes.
"""

from zerosum.deceleration import pages_of_the_break, pages_of_the_run
from zerosum.deceleration.reason_page import Page

PAGES: tuple[Page, ...] = (*pages_of_the_break.PAGES, *pages_of_the_run.PAGES)


def document() -> str:
    """The text of docs/reasons.md."""
    head = (
        "# Reasons of a verdict\n\n"
        "`zerosum fit` gives the reasons for every verdict. A *blocking* reason means that the numbers must not be "
        "used; the verdict is then `cannot-tell`. A *note* means that the numbers may be used with the note in mind. "
        "`zerosum explain CODE` prints one of these sections.\n\n"
    )
    rows = [f"| [{page.code}](#{page.code}) | {' or '.join(page.examples)} | {page.means} |" for page in PAGES]
    table = "\n".join(["| reason | level | what it means |", "|---|---|---|", *rows])
    return head + table + "\n\n" + "\n".join(page.markdown() for page in PAGES)
