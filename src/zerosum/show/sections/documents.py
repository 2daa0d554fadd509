"""Section: the documents that gained and lost most between two checkpoints of one run, token by token."""

import math
from collections.abc import Iterator
from itertools import chain

from markupsafe import Markup

from zerosum.interference.labelled import DocumentChange, HeatMap, Moved, StoreFindings, TokenChange
from zerosum.show import numbers as n
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.sections import _interference_words as words
from zerosum.show.sections._single_run import absent_of_several, findings_of
from zerosum.show.table import Column, Table, Text

TITLE = "Documents token by token"
PLACE = 44
LEVELS = 5  # steps of colour on each side of zero
ROUND = (1, 1.5, 2, 3, 5, 7)  # times a power of ten
SPREAD = 0.9  # share of the tokens shown whose change is within the scale
CONTEXT = 28  # characters before a token
COLOURS = (
    "Each token is coloured by the change of its own loss in nats: orange, it got worse; blue, it got better. The "
    "largest changes stand beside their token with a bar: below the token where it got worse, above it where it got "
    "better. Pointing at a token shows its number."
)


def absent(report: Report) -> str | None:
    """For one run, where documents are known or tokens moved."""
    why = absent_of_several(report)
    if why is not None:
        return why
    findings = findings_of(report)
    return None if findings.heat or any(findings.found.moved.values()) else ""


def sentences(report: Report) -> Iterator[str]:
    """What is shown and how it is coloured."""
    heat = findings_of(report).heat
    if heat is None:
        return
    yield (
        f"The documents whose losses rose and fell most from step {n.count(heat.from_step)} to "
        f"{n.count(heat.to_step)}, by their whole change. {COLOURS}"
    )
    if not heat.decoded:
        yield "No tokenizer is known, so tokens are shown as ids; name its folder with --tokenizer."
    for sign, verb in ((1, "rose"), (-1, "fell")):
        if not any(sign * document.net > 0 for document in heat.documents):
            yield f"No document’s loss {verb} as a whole."


def tables(report: Report) -> Iterator[Table]:
    """Tokens and documents that moved most; as CSV every token that is shown."""
    findings = findings_of(report)
    yield _moved(findings)
    if findings.heat:
        yield Table("figures/documents", "Every token of these documents", (), ()).with_csv(list(_rows(findings.heat)))


def _rows(heat: HeatMap) -> Iterator[dict[str, int | float | str]]:
    for document in heat.documents:
        for token in chain(*document.parts):
            yield {
                "from_step": heat.from_step,
                "to_step": heat.to_step,
                "document": document.name,
                "sequence": token.sequence,
                "position": token.position,
                "token": token.id,
                "text": shown_text(token)[0] if heat.decoded else "",
                "change": token.change,
            }


def _moved(findings: StoreFindings) -> Table:
    columns = (
        Column("kind", "What"),
        Column("net", "Net change", "nats, sum"),
        Column("N", "N", "predictions"),
        Column("mean", "Mean", "nats each"),
        Column("text", "Text", "the token stands in › ‹"),
    )
    heat = findings.heat
    steps = (heat.from_step, heat.to_step) if heat else findings.last.steps
    moved = heat.moved if heat else findings.found.moved.get(steps, ())
    rows = tuple(
        (
            {"prediction": "one prediction", "token": "all of one id", "document": "document"}[row.kind],
            Text(n.written(row.net, None, n.Form("", places=2, signed=True))[0]),
            row.N,
            Text(n.written(row.mean, None, n.Form("", signed=True))[0]),
            _text(row),
        )
        for row in moved
    )
    return Table("", f"Lost and gained most, steps {words.arrow(steps)}", columns, rows)


def _text(row: Moved) -> Text:
    if row.kind == "document":
        return Text(printable(row.text, 60))
    own = f"›{visible(row.text)}‹".replace("\n", "")
    if row.kind == "token":
        return Text(own, f"id {row.token}")
    before = visible(row.context).replace("\n", "")[-CONTEXT:] if row.context else ""
    return Text(before + own, f"sequence {row.sequence}, position {row.position}")


def html(report: Report) -> Markup:
    """The documents with every token coloured; nothing where no documents are known."""
    heat = findings_of(report).heat
    if heat is None:
        return Markup()
    scale = scale_of(heat)
    return Markup("\n").join([*_legend(scale), *(_document(document, scale) for document in heat.documents)])


def _legend(scale: float) -> Iterator[Markup]:
    spans = Markup("\n").join(
        Markup('<span class="{}">{}</span>').format(colour(k) or "n0", text) for k, text in swatches(scale)
    )
    label = "Colours from better to worse, in nats"
    yield Markup('<p class="scale" role="img" aria-label="{}">\n{}\n</p>').format(label, spans)
    yield Markup(
        '<p class="hint">Change of a token’s loss in nats. The ends also stand for all that is beyond. <i>Grey</i>: '
        "tokens that nothing predicts, such as the first of a sequence. "
        '<a href="figures/documents.csv" download>These tokens as CSV</a></p>'
    )


def _document(document: DocumentChange, scale: float) -> Markup:
    verb = "Got worse" if document.net > 0 else "Got better"
    about = (
        f"{verb}: net change {signed(document.net)} nats over N = {document.N:,} predictions, "
        f"{signed(document.net / document.N)} nats per token (one document: no interval)."
        f"{f' Shown are {document.note}.' if document.note else ''}"
    )
    parts = Markup("\n").join(
        Markup('<p class="heat">{}</p>').format(Markup().join(_token(token, scale) for token in part))
        for part in document.parts
    )
    return Markup('<div class="document">\n<h3>{}</h3>\n<p class="hint">{}</p>\n{}\n</div>').format(
        printable(document.name), about, parts
    )


def _token(token: TokenChange, scale: float) -> Markup:
    text, after = shown_text(token)
    if math.isnan(token.change):
        return Markup('<i title="no loss (id {})">{}</i>{}').format(token.id, text, after)
    step, title = level(token.change, scale), signed(token.change)
    if not step:
        return Markup('<span title="{}">{}</span>{}').format(title, text, after)
    number = Markup("<sub>{}</sub>").format(title) if abs(step) == LEVELS else ""
    return Markup('<span class="{}" title="{}">{}{}</span>{}').format(colour(step), title, text, number, after)


def colour(step: int) -> str:
    """The class of a step of colour: w for worse, b for better; nothing for none.

    >>> colour(3), colour(-1), colour(0)
    ('w3', 'b1', '')
    """
    return f"{'w' if step > 0 else 'b'}{abs(step)}" if step else ""


def swatches(scale: float) -> list[tuple[int, str]]:
    """Steps of colour with the change that each stands for, in nats."""
    unit = scale / LEVELS
    return [(k, f"{k * unit:+.3g}".replace("-", "−") if k else "0") for k in range(-LEVELS, LEVELS + 1)]


def scale_of(heat: HeatMap) -> float:
    """Nats at the ends of the colours: within it lies the change of nine tenths of the tokens shown."""
    sizes = sorted(
        abs(token.change)
        for document in heat.documents
        for token in chain(*document.parts)
        if math.isfinite(token.change)
    )
    place = SPREAD * (len(sizes) - 1)
    low, high = sizes[math.floor(place)], sizes[math.ceil(place)]
    return round_up(low + (high - low) * (place - math.floor(place)))


def round_up(value: float) -> float:
    """The smallest of a few round numbers that is not below a positive value.

    >>> round_up(0.93), round_up(0.0021), round_up(1.2)
    (1.0, 0.003, 1.5)
    """
    if not value > 0:
        return 1.0
    power = math.floor(math.log10(value))
    candidates = (float(f"{m}e{k}") for k in (power, power + 1) for m in ROUND)
    return next(candidate for candidate in candidates if candidate >= value)


def level(change: float, scale: float) -> int:
    """Step of colour of a change, 0 for almost none, `LEVELS` from nine tenths of the scale on.

    >>> level(-1.0, 1.0), level(0.05, 1.0), level(0.3, 1.0), level(math.nan, 1.0)
    (-5, 0, 2, 0)
    """
    if not math.isfinite(change):
        return 0
    steps = math.floor(min(abs(change) / scale, 1.0) * LEVELS + 0.5)
    return int(math.copysign(steps, change))


def signed(change: float) -> str:
    """A change with its sign, in nats; short, for a place beside a token.

    >>> signed(-0.1234), signed(2.0), signed(0.00012)
    ('−0.12', '+2.0', '+0.00012')
    """
    return n.written(change, None, n.Form("", digits=2, signed=True))[0]


def shown_text(token: TokenChange) -> tuple[str, str]:
    """The text of a token with invisible characters spelled out, and the line break or space after it."""
    if token.text is None:
        return str(token.id), " "
    text = visible(token.text)
    return (text[:-1], "\n") if text.endswith("\n") else (text, "")


def visible(text: str) -> str:
    """Text of a token with visible line breaks and tabs; a line break still breaks the line.

    >>> visible(" a\\n"), visible("\\t"), visible("")
    (' a⏎\\n', '⇥', '∅')
    """
    lines = text.replace("\r", "␍").replace("\t", "⇥").split("\n")
    return "⏎\n".join(printable(line) for line in lines) or "∅"
