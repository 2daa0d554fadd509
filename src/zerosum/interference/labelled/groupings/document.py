"""Groups by document."""

from zerosum.errors import InputError
from zerosum.interference.labelled._change import Change, coordinate
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import Labels, named


def label(change: Change, text: TokenText | None) -> Labels:
    """One group for each document, by the names that the store gives them."""
    document = coordinate(change.store, "document")
    if document is None:
        raise InputError("the store does not say which documents its tokens are from. Choose other groups.")
    return named(change.of(document), change.store.attrs.get("documents"), "document", "documents of the store")
