"""`zerosum scaling`: laws over sizes of the loss and of its deceleration, how sure they are, and what they predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli._scaling_laws import law_documents, named_laws
from zerosum.cli._scaling_runs import fitted_runs, over_sizes
from zerosum.cli.options import Fitting, Reading, expand_option_groups
from zerosum.cli.output import Answer, made_with, make_folder
from zerosum.cli.sources import Failure, as_document, finish
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.scaling import DecelerationAcrossSizes, LossTable
    from zerosum.show.report import Report

GROUP = "compare"
# Files of scaling/laws, listed without loading numpy.
LAWS = sorted(file.stem.replace("_", "-") for file in Path(__file__).parents[1].glob("scaling/laws/[!_]*.py"))
SETTINGS = ("delta", "cut", "target")
EPILOG = "Exit codes: 0 done; 2 a run, the table or the call is wrong; 1 a bug of ours."


@expand_option_groups
def scaling(
    runs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[RUN]...", help="Runs of several sizes, as for zerosum fit.", show_default=False),
    ] = None,
    *,
    table: Annotated[
        Path | None,
        typer.Option(
            "--table", metavar="FILE.csv", help="Instead of runs: losses, with columns N, D, loss; run, step."
        ),
    ] = None,
    params: Annotated[
        str | None,
        typer.Option(metavar="N,...", help="Sizes of the runs, as 14M. Without it from column, config or name."),
    ] = None,
    without_embeddings: Annotated[
        bool, typer.Option("--without-embeddings", help="N counts no embeddings and no head.")
    ] = False,
    tokens_per_step: Annotated[
        str | None, typer.Option(metavar="N,...", help="Training tokens of a step, for logs without tokens.")
    ] = None,
    predict: Annotated[
        list[str] | None, typer.Option(metavar="N", help="Size of a run to predict; repeatable.")
    ] = None,
    law: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"{', '.join(LAWS)}, iso-flop or critical-batch; repeatable. Of a table without it chinchilla.",
        ),
    ] = None,
    loss_unit: Annotated[
        str | None, typer.Option(metavar="UNIT", help="Of a table: nats, bits (per token), log10 or perplexity.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=X",
            help="delta=1e-3: of Huber's loss, without it that of the law's paper. cut=1e9: leave out losses at fewer "
            "tokens. target=2.5: loss of critical-batch. Repeatable.",
        ),
    ] = None,
    hold_out: Annotated[
        str, typer.Option(metavar="RUN", help="Run to predict from the others: its name, largest (size) or none.")
    ] = "largest",
    budget: Annotated[
        list[float] | None, typer.Option(metavar="FLOPS", help="Best N and D for these training FLOPs; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the resampled tables.")] = 0,
    fitting: Fitting,
    read: Reading,
    answer: Answer,
) -> None:
    """Say what size does: to L_d, t_d and r_d of runs of several sizes, and to the loss by laws of N and tokens.

    Laws of L_d, t_d and r_d carry the errors of all fits, which neighbouring sizes share. Laws of the loss (--law) have
    intervals over runs, because the checkpoints of a run are not independent.
    """
    if bool(runs) == (table is not None):
        raise InputError(
            "scaling: give runs, or --table FILE.csv. For example: zerosum scaling 14M.csv 70M.csv 410M.csv"
        )
    if runs and "critical-batch" in (law or []):
        raise InputError(
            "--law critical-batch: runs of one size have no laws over sizes. Give their losses by --table."
        )
    make_folder(answer.out)
    settings = _settings(set_ or [])
    failed: list[Failure] = []
    across: DecelerationAcrossSizes | None = None
    losses: LossTable | None = None
    if table is not None:
        from zerosum.scaling import read_table

        where, law = read.rows_chosen(), law or ["chinchilla"]
        losses = read_table(table, loss=read.loss, loss_unit=loss_unit, where=where, cut=settings.get("cut", 0.0))
    else:
        fitted, failed = fitted_runs(runs or [], params, tokens_per_step, not without_embeddings, read, fitting)
        cut = settings.get("cut", 0.0) if law else None
        across, losses, unknown = over_sizes(fitted, _sizes(predict or []), fitting.level, cut)
        failed += unknown
    named = named_laws(law or [], losses, settings, hold_out, seed)
    failed += named.failed
    laws, more, best = law_documents(named, budget or [])
    more = {"deceleration": None if across is None else across.to_json(), **more}
    files = {"laws.json": as_document("laws", laws, failed, **more)}
    records = [*([across] if across is not None else []), *named.records, *best]
    sources = [str(table)] if table is not None else list(runs or [])
    report = _report(table, len(sources), records) if records else None
    failed += answer.give(report, "laws", laws, failed, files, sources=sources, **more)
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


def _sizes(texts: list[str]) -> list[float]:
    from zerosum.scaling.run_size import given_size

    return [given_size(text, "--predict", "").N for text in texts]


def _report(table: Path | None, runs: int, records: list[Any]) -> "Report":
    from zerosum.show.report import Report

    title = f"Laws of the loss: {table.name}" if table is not None else f"{runs} runs over sizes"
    return Report(title, (), tuple(records), provenance=made_with())
