"""Predictions, token ids and documents that gained and lost most between two checkpoints, with their text.

Letters: N predictions that have a loss at both checkpoints, G ids or documents.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Int, Shaped

from zerosum.interference.labelled._change import Change, coordinate
from zerosum.interference.labelled._text import TokenText
from zerosum.interference.labelled.groupings._labels import named

CONTEXT = 16  # tokens shown before a prediction

Kind = Literal["prediction", "token", "document"]


@dataclass(frozen=True)
class Moved:
    """One prediction, all predictions of one token id, or one document.

    net: its change of loss in nats, summed over its N predictions; positive: worse. sequence, position: of a single
    prediction. token: the id predicted. document: its number in the store. context: the text (or ids) before a
    prediction. text: the token's own text, its id without a tokenizer, or the name of the document. Text comes from the
    data: escape it before showing it.
    """

    kind: Kind
    net: float
    N: int
    text: str
    context: str = ""
    token: int | None = None
    sequence: int | None = None
    position: int | None = None
    document: int | None = None

    @property
    def mean(self) -> float:
        """Mean change of loss of each prediction, in nats: the sum is largest for what is frequent."""
        return self.net / self.N

    def to_json(self) -> dict[str, Any]:
        """Without what belongs to another kind: a document has no position."""
        return {name: value for name, value in (asdict(self) | {"mean": self.mean}).items() if value is not None}


def most_moved(change: Change, text: TokenText | None = None, top: int = 5) -> tuple[Moved, ...]:
    """The `top` that lost most, then the `top` that gained most, of each kind that the store knows.

    A row that did not move in that direction is not listed.
    """
    token, document = (coordinate(change.store, name) for name in ("token", "document"))
    rows = list(_predictions(change, token, text, top))
    if token is not None:
        rows += _ids(change, token, text, top)
    if document is not None:
        rows += _documents(change, document, top)
    return tuple(rows)


def _extremes(net: Float[np.ndarray, " G"], top: int) -> list[int]:
    order = np.argsort(net, kind="stable")
    worse, better = order[::-1][:top], order[:top]
    return [int(k) for k in worse if net[k] > 0] + [int(k) for k in better if net[k] < 0]


def _predictions(
    change: Change, token: Int[np.ndarray, "S T"] | None, text: TokenText | None, top: int
) -> Iterator[Moved]:
    sequences, positions = np.nonzero(change.kept)
    x = change.flat
    for k in _extremes(x, top):
        s, t = int(sequences[k]), int(positions[k])
        if token is None:
            yield Moved("prediction", float(x[k]), 1, f"sequence {s}, position {t}", sequence=s, position=t)
            continue
        before, own = _in_context(change, token, s, t, text)
        yield Moved("prediction", float(x[k]), 1, own, before, int(token[s, t]), s, t)


def _in_context(
    change: Change, token: Int[np.ndarray, "S T"], s: int, t: int, text: TokenText | None
) -> tuple[str, str]:
    """Text before a prediction in its sequence, and that of its token."""
    row = token[s, : t + 1].tolist()
    first = coordinate(change.store, "first_token")
    row = [*([] if first is None else [int(first[s, 0])]), *row]
    ids = [id_ for id_ in row[-1 - CONTEXT : -1] if id_ >= 0]
    if text is None:
        return " ".join(map(str, ids)), f"token {row[-1]}"
    before = text.text(ids) if ids else ""
    whole = text.text([*ids, row[-1]])
    return (before, whole[len(before) :]) if whole.startswith(before) else (before, text.text([row[-1]]))


def _ids(change: Change, token: Int[np.ndarray, "S T"], text: TokenText | None, top: int) -> Iterator[Moved]:
    ids, net, count = _nets(change, token)
    shown = _extremes(net, top)
    pieces = text.pieces(int(ids[k]) for k in shown) if text else {}
    for k in shown:
        id_ = int(ids[k])
        yield Moved("token", float(net[k]), int(count[k]), pieces.get(id_, f"token {id_}"), token=id_)


def _documents(change: Change, document: Shaped[np.ndarray, "S ..."], top: int) -> Iterator[Moved]:
    ids, net, count = _nets(change, document)
    names = named(ids, change.store.attrs.get("documents"), "document", "").names
    for k in _extremes(net, top):
        yield Moved("document", float(net[k]), int(count[k]), names[k], document=int(ids[k]))


def _nets(
    change: Change, of: Shaped[np.ndarray, "S ..."]
) -> tuple[Int[np.ndarray, " G"], Float[np.ndarray, " G"], Int[np.ndarray, " G"]]:
    ids, index = np.unique(change.of(of), return_inverse=True)
    index = index.ravel()
    return ids, np.bincount(index, change.flat, minlength=len(ids)), np.bincount(index, minlength=len(ids))
