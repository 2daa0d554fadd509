"""Groups by domain."""

from zerosum.errors import InputError
from zerosum.interference.labelled._change import Change, coordinate
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import Labels, named


def label(change: Change, text: TokenText | None) -> Labels:
    """One group for each domain (source, language, ...), by the names that the store gives them."""
    domain = coordinate(change.store, "domain")
    if domain is None:
        raise InputError(
            "the store does not say which domains its tokens are from (no coordinate 'domain'). "
            "Name the field that holds them (zerosum losses --domain FIELD), or choose other groups."
        )
    return named(change.of(domain), change.store.attrs.get("domains"), "domain", "domains of the store")
