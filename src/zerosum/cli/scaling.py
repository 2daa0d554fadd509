"""`zerosum scaling`: laws of the loss over sizes and tokens, how sure they are, and what they predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.options import expand_option_groups
from zerosum.cli.output import Answer, made_with, make_folder
from zerosum.cli.progress import following
from zerosum.cli.sources import as_document, each, finish
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.scaling import LawFit
    from zerosum.show.report import Report

GROUP = "compare"
EPILOG = "Exit codes: 0 done; 2 the table or the call is wrong; 1 a bug of ours."


@expand_option_groups
def scaling(
    table: Annotated[
        Path,
        typer.Option(
            "--table", metavar="FILE.csv", help="Losses: columns N, D and loss; run, step.", show_default=False
        ),
    ],
    *,
    law: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Law to fit; repeatable. Without it chinchilla. See docs/scaling.md."),
    ] = None,
    loss: Annotated[str | None, typer.Option(metavar="COLUMN", help="Column of the loss, where several fit.")] = None,
    loss_unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="nats, bits (per token), log10 or perplexity.")
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Read these rows alone; repeatable.")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(metavar="X", help="Of Huber's loss. Without it that of the law's paper.")
    ] = None,
    budget: Annotated[
        list[float] | None, typer.Option(metavar="FLOPS", help="Best N and D for these training FLOPs; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampled tables.")] = 0,
    answer: Answer,
) -> None:
    """Fit laws of the loss to runs of several sizes, and say whether their parameters are identified.

    Intervals are over runs, because the checkpoints of a run are not independent.
    """
    make_folder(answer.out)
    rows = {}
    for text in where or ():
        column, equals, value = text.partition("=")
        if not (column and equals):
            raise InputError(f"--where {text[:60]!r}: not COLUMN=VALUE. Write for example --where dataset=c4.")
        rows[column] = value

    def fitted(name: str) -> "LawFit":
        from zerosum import scaling as room

        losses = room.read_table(table, loss=loss, loss_unit=loss_unit, where=rows)
        return room.fit(losses, name, delta=delta, seed=seed)

    with following(law or ["chinchilla"], "fitting") as names:
        done, failed = each(((name, name) for name in names), fitted)
    fits = [fit for _, fit in done]
    sizes = [fit.optimal(flops) for fit in fits if fit.length == "D" for flops in budget or ()]
    best = [size.to_json() for size in sizes]
    laws = [fit.to_json() for fit in fits]
    files = {"laws.json": as_document("laws", laws, failed, optimal=best)}
    report = _report(table, [*fits, *sizes]) if fits else None
    failed += answer.give(report, "laws", laws, failed, files, sources=[str(table)], optimal=best)
    finish(failed, 0)


def _report(table: Path, records: list[Any]) -> "Report":
    from zerosum.show.report import Report

    return Report(f"Laws of the loss: {table.name}", (), tuple(records), provenance=made_with())
