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
    from zerosum.scaling import HeldOut, LawFit
    from zerosum.show.report import Report

GROUP = "compare"
SETTINGS = ("delta", "cut")
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
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=X",
            help="delta=1e-3: of Huber's loss, without it that of the law's paper. cut=1e9: leave out losses at fewer "
            "tokens. Repeatable.",
        ),
    ] = None,
    hold_out: Annotated[
        str, typer.Option(metavar="RUN", help="Run to predict from the others: its name, largest (size) or none.")
    ] = "largest",
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
    rows = dict(_pair("where", "COLUMN", text, "dataset=c4") for text in where or ())
    settings = _settings(set_ or [])

    def fitted(name: str) -> tuple[Any, Any]:
        from zerosum import scaling as room

        losses = room.read_table(table, loss=loss, loss_unit=loss_unit, where=rows, cut=settings.get("cut", 0.0))
        options: dict[str, Any] = {"delta": settings.get("delta"), "seed": seed}
        held = None if hold_out == "none" else room.hold_out(losses, name, run=hold_out, **options)
        return room.fit(losses, name, **options), held

    with following(law or ["chinchilla"], "fitting") as names:
        done, failed = each(((name, name) for name in names), fitted)
    fits: list[LawFit] = [fit for _, (fit, _) in done]
    held_out: list[HeldOut] = [held for _, (_, held) in done if held]
    sizes = [fit.optimal(flops) for fit in fits if fit.length == "D" for flops in budget or ()]
    more: dict[str, Any] = {
        "protocol": [error.to_json(held.law) for held in held_out for error in held.protocol],
        "optimal": [size.to_json() for size in sizes],
    }
    laws = [
        fit.to_json() | {"held_out": [loss.to_json() for loss in held.losses] if held else []}
        for _, (fit, held) in done
    ]
    files = {"laws.json": as_document("laws", laws, failed, **more)}
    report = _report(table, [*fits, *held_out, *sizes]) if fits else None
    failed += answer.give(report, "laws", laws, failed, files, sources=[str(table)], **more)
    finish(failed, 0)


def _pair(option: str, what: str, text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"--{option} {text[:60]!r}: not {what}=VALUE. Write for example --{option} {example}.")
    return name, value


def _settings(given: list[str]) -> dict[str, float]:
    """Numbers of `--set`. Raises InputError for other names, and what is no number."""
    settings = {}
    for text in given:
        name, value = _pair("set", "NAME", text, "delta=1e-3")
        if name not in SETTINGS:
            raise InputError(f"--set {name[:60]!r}: not known. Choose one of {', '.join(SETTINGS)}.")
        try:
            settings[name] = float(value)
        except ValueError:
            raise InputError(f"--set {name}={value[:40]!r}: not a number. Write for example {name}=1e-3.") from None
    return settings


def _report(table: Path, records: list[Any]) -> "Report":
    from zerosum.show.report import Report

    return Report(f"Laws of the loss: {table.name}", (), tuple(records), provenance=made_with())
