"""`zerosum losses`: per-token losses of checkpoints, into a store that every other measurement reads."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.data_options import Data
from zerosum.cli.model_options import (
    MAIN,
    Average,
    Device,
    TokensPerBatch,
    batch_tokens,
    dtype_named,
    run_of,
    say_averages,
    usable_device,
)
from zerosum.cli.options import Details, expand_option_groups
from zerosum.cli.sources import AsJson, Failure, each, finish, print_json
from zerosum.errors import InputError
from zerosum.losses.quantities import quantity_names
from zerosum.missing import step_words

if TYPE_CHECKING:
    import xarray as xr

    from zerosum.checkpoints import Checkpoint, Run

GROUP = "measure"


@expand_option_groups
def losses(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINTS",
            help="Run directories, folders of single checkpoints, or models on the hub.",
            show_default=False,
        ),
    ],
    data: Data,
    store: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the store. Without it zerosum/losses.zarr in the run directory, or one beside it."
        ),
    ] = None,
    revisions: Annotated[
        str | None, typer.Option(metavar="GLOB", help="Which revisions of a model on the hub, as 'step*'.")
    ] = None,
    average: Average = None,
    tokens_per_batch: TokensPerBatch = "auto",
    dtype: Annotated[
        str,
        typer.Option(
            metavar="[float32|bfloat16|float16]",
            help="bfloat16 is faster on a GPU; the noise floor shows how much precision it costs.",
        ),
    ] = "float32",
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help=f"A number per token to measure beside the loss: {', '.join(quantity_names())}. May be repeated.",
        ),
    ] = None,
    device: Device = "auto",
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Measure the cross-entropy of every token at every checkpoint, in nats, into a labelled store.

    Stopped at any moment and started again, it continues. Several processes may measure into one store, also under
    torchrun. `zerosum interference` reads the store; so does `zerosum.open_store`, as an xarray Dataset.
    """
    batch, precision = batch_tokens(tokens_per_batch), dtype_named(dtype)
    broken: list[Failure] = []
    opened, failed = each(
        [(source, source) for source in checkpoints], lambda source: run_of([source], broken, revisions, average)
    )
    failed += broken
    alone = [source for source, run in opened if len(run.checkpoints) == 1 and average is None]
    jobs = [(source, [source]) for source, _ in opened if len(alone) < 2 or source not in alone]
    jobs += [(alone[0], alone)] if len(alone) > 1 else []
    if store is not None and len(jobs) > 1:
        raise InputError(f"{store}: one store for {len(jobs)} runs. Leave --store out, or give one run at a time.")

    def measured(sources: list[str]) -> "tuple[Path, xr.Dataset]":
        return _measured(run_of(sources, [], revisions, average), data, store, batch, precision, device, also or ())

    done, unmeasured = each(jobs, measured)
    failed += unmeasured
    if MAIN:
        _show(done, failed, details, as_json)
    finish(failed, len(failed) + len(done))


def _show(
    measured: "Sequence[tuple[str, tuple[Path, xr.Dataset]]]", failed: "Sequence[Failure]", details: bool, as_json: bool
) -> None:
    from zerosum.checkpoints.problems import gaps
    from zerosum.interference.labelled import StoreLosses
    from zerosum.losses import STORE
    from zerosum.sharing import places_beside
    from zerosum.show.report import Report, Run
    from zerosum.show.terminal import say, show

    losses = [
        (source, path, StoreLosses.of(store, gaps(store["step"].values.tolist()))) for source, (path, store) in measured
    ]
    if as_json:
        documents = [
            {"source": source, "store": str(path), **record.to_json(), **_averages(store)}
            for (source, path, record), (_, (_, store)) in zip(losses, measured, strict=True)
        ]
        return print_json("runs", documents, list(failed))
    for (source, path, record), (_, (_, store)) in zip(losses, measured, strict=True):
        show(Report(source, (Run(source, (record,)),)), details)
        say_averages(store.attrs)
        say(f"store: {path}")
        if path in places_beside(path.with_name(STORE)):
            say(f"{STORE} beside it holds other data, options or weights, and is the one that reports read.")
    return None


def _averages(store: "xr.Dataset") -> dict[str, Any]:
    """What the weights are averages of, one entry for each checkpoint; nothing where they are those of the steps."""
    return {name: store.attrs[name] for name in ("average", "averaged", "not_averaged") if name in store.attrs}


def _measured(
    run: "Run",
    data: Data,
    store: Path | None,
    tokens_per_batch: Any,
    dtype: str,
    device: str,
    also: Sequence[str],
) -> "tuple[Path, xr.Dataset]":
    from zerosum.checkpoints import load_model
    from zerosum.cli.progress import progress
    from zerosum.losses import measure_losses, own_store
    from zerosum.runs import RunDirectory
    from zerosum.training.run_folder import writing

    first = run.checkpoints[0]
    place = usable_device(device)
    model = load_model(first, dtype=dtype, device=place)
    tokens, tokenizer = data.read(first.path, model.config)
    loaded = {first.step: model}
    del model

    def load(checkpoint: "Checkpoint") -> Any:
        return loaded.pop(checkpoint.step, None) or load_model(checkpoint, dtype=dtype, device=place)

    path = store or own_store(RunDirectory(run.path, run.average).losses, run.checkpoints, tokens, dtype, also)
    label = f"{run.path.resolve().name}: token losses"
    with writing(path), progress() as show:
        measured = measure_losses(
            path,
            run.checkpoints,
            tokens,
            load=load,
            load_float32=lambda checkpoint: load_model(checkpoint, device=place),
            tokens_per_batch=tokens_per_batch,
            dtype=dtype,
            model=run.path.resolve().name,
            tokenizer=tokenizer,
            also=also,
            on_piece=lambda done, total, step: show(label, total, done, step_words(step)) if MAIN else None,
        )
    return path, measured.assign_attrs(not_averaged=list(run.not_averaged)) if run.average else measured
