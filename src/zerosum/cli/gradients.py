"""`zerosum gradients`: how far the gradients of single tokens oppose each other, and what that does to an update."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.data_options import Data
from zerosum.cli.model_options import MAIN, Device, TokensPerBatch, batch_tokens, dtype_named, usable_device
from zerosum.cli.options import expand_option_groups
from zerosum.cli.output import made_with, make_folder
from zerosum.cli.progress import busy, progress
from zerosum.cli.sources import AsJson, Failure, each, finish, print_json
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.checkpoints import Checkpoint, Run
    from zerosum.cli.progress import Show
    from zerosum.gradients.checkpoint import Update
    from zerosum.tokens import TokenSequences

Model = Callable[[], Any]
BATCH_SIZE = 32  # training sequences of a step, where the run does not say
MOST_TRAIN = 4_096  # sequences of training text that a batch is drawn from


class MethodChoice(StrEnum):
    """How the sums over tokens are made."""

    AUTO = "auto"
    EXACT = "exact"
    SAMPLED = "sampled"
    GENERAL = "general"
    ORACLE = "oracle"
    POSITIONWISE = "positionwise"


@dataclass(frozen=True)
class _How:
    """How every checkpoint of one call is measured."""

    data: Data
    after: str | None
    train: tuple[str, ...]
    choice: Any
    verify: int
    device: str


@expand_option_groups
def gradients(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A checkpoint, or a run directory: each of its checkpoints in turn, continued where it stopped.",
            show_default=False,
        ),
    ],
    *,
    data: Data,
    after: Annotated[
        str | None,
        typer.Option(metavar="CHECKPOINT", help="The update is the difference of this later checkpoint to the first."),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(metavar="DATA", help="The update is one real step of the saved optimizer on a batch of this."),
    ] = None,
    method: Annotated[
        MethodChoice,
        typer.Option(help="auto: exact where that fits the budget, else sampled; general for layers not known."),
    ] = MethodChoice.AUTO,
    budget: Annotated[float, typer.Option(metavar="MINUTES", help="For auto, at each checkpoint.")] = 10.0,
    sample: Annotated[int, typer.Option(min=16, metavar="N", help="Tokens that a sample takes, at least.")] = 256,
    verify: Annotated[int, typer.Option(min=0, metavar="K", help="Compare K tokens with a backward pass each.")] = 0,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of the store. Without it zerosum/gradients.zarr in the run directory."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for gradients.json, tables as CSV, and figures."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample, the training batch and the bootstrap.")] = 0,
    device: Device = "auto",
    dtype: Annotated[
        str, typer.Option(metavar="[float32|bfloat16]", help="Of the passes; bfloat16 says what it costs.")
    ] = "float32",
    tokens_per_batch: TokensPerBatch = "auto",
    as_json: AsJson = False,
) -> None:
    """Say how far the gradients of single tokens oppose each other, coordinate by coordinate and layer by layer.

    D_grad is the share of gradient that cancels between tokens, mean over coordinates. With an update, C_g says how
    much tokens agree in it, C_ug how much coordinates do, and D_first_order = 1 - C_g C_uG / C_ug what cancels of all
    loss changes to first order. D of different numbers of tokens N are not comparable.
    """
    if after is not None and train:
        raise InputError("--after and --train: two updates. Give one of them.")
    from zerosum.runs import RunDirectory

    precision = dtype_named(dtype, ("float32", "bfloat16"))
    if out is not None:
        make_folder(out)
    how = _How(
        data,
        after,
        tuple(train or ()),
        {
            "method": method.value,
            "n_sampled": sample,
            "seed": seed,
            "budget": budget,
            "tokens_per_batch": batch_tokens(tokens_per_batch),
            "dtype": precision,
        },
        verify,
        usable_device(device),
    )
    runs, failed = each([(checkpoint, checkpoint)], lambda source: _opened(source, how))
    documents: list[dict[str, Any]] = []
    number, written = 0, None
    for _, run in runs:
        path, number = store or RunDirectory(run.path).gradients, len(run.checkpoints)
        documents, unmeasured = _all_measured(run, path, how)
        failed += unmeasured
        written = None if out is None else (out, path)
    if MAIN:
        _say(checkpoint, documents, written, as_json, failed)
    finish(failed, number)


def _opened(source: str, how: _How) -> "Run":
    from zerosum.checkpoints import open_run

    run = open_run(source)
    number = len(run.checkpoints)
    if number > 1 and how.after is not None:
        raise InputError(f"{source}: {number} checkpoints. Give one of them with --after, or use --train.")
    return run


def _all_measured(run: "Run", path: Path, how: _How) -> tuple[list[dict[str, Any]], list[Failure]]:
    """Documents of all checkpoints by step, and what failed. Of several processes each begins where no other is."""
    from zerosum.gradients.checkpoint import is_busy, require_store
    from zerosum.sharing import free_first

    require_store(path)
    in_turn = free_first(run.checkpoints, lambda checkpoint: is_busy(path, checkpoint.step))
    with progress() as show:
        measuring = _Measuring(path, how, show)
        found, failed = each(((one.name, one) for one in in_turn), measuring.document)
    return sorted((document for _, document in found), key=lambda document: int(document["step"])), failed


@dataclass
class _Measuring:
    """The checkpoints of one run, one after the other. tokens: the same for all, read with the first one.

    A model is loaded where something has to be measured, or to know which tokens it takes.
    """

    path: Path
    how: _How
    show: "Show"
    tokens: "TokenSequences | None" = field(default=None, init=False)

    def document(self, checkpoint: "Checkpoint") -> dict[str, Any]:
        """Of one checkpoint."""
        from zerosum.checkpoints import load_model
        from zerosum.gradients.checkpoint import Choice, measure_checkpoint
        from zerosum.training.run_folder import writing

        model = cache(lambda: load_model(checkpoint, device=self.how.device))
        if self.tokens is None:
            self.tokens, _ = self.how.data.read(checkpoint.path, model().config)
        update, how = _update(checkpoint, model, self.how), self.how

        def along(words: str, done: int, of: int) -> None:
            if MAIN:
                self.show(f"step {checkpoint.step}: token gradients", of, done, words)

        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            choice = Choice(**how.choice)
            return measure_checkpoint(self.path, checkpoint, model, self.tokens, update, choice, how.verify, along)


def _update(checkpoint: "Checkpoint", model: Model, how: _How) -> "Update":
    """The update, if one was asked for, and what to know about it."""
    from zerosum.gradients.checkpoint import Update

    if how.after is not None:
        return _difference(checkpoint, model, how.after, how.device)
    if how.train:
        return _one_step(checkpoint, model, how)
    return Update()


def _difference(checkpoint: "Checkpoint", model: Model, after: str, device: str) -> "Update":
    from zerosum.checkpoints import load_model, open_run
    from zerosum.gradients.checkpoint import Update, update_between

    later = open_run(after).checkpoints
    if len(later) > 1:
        raise InputError(f"--after {after}: {len(later)} checkpoints. Give one of them.")
    note = f"update: step {later[0].step} minus step {checkpoint.step}"
    record = {"after": later[0].weight_hash()}
    return Update(lambda: update_between(model(), load_model(later[0], device=device)), record, (note,))


def _one_step(checkpoint: "Checkpoint", model: Model, how: _How) -> "Update":
    from zerosum.gradients.checkpoint import Update
    from zerosum.training.one_update import one_update
    from zerosum.training.real_steps import draw_batches
    from zerosum.training.updater import find_updater

    updater = find_updater(checkpoint.path, model())
    text, _ = replace(how.data, data=list(how.train), max_sequences=MOST_TRAIN).read(checkpoint.path, model().config)
    size = updater.batch_size or BATCH_SIZE
    rows = draw_batches(len(text.ids), size, 1, how.choice["seed"])[0]
    assumed = [] if updater.batch_size else [f"the run's batch size is not saved: {BATCH_SIZE} sequences assumed"]
    note = f"update: one step of {updater.settings['name']} on {size} training sequences"
    record = {"train": text.sha256, "batch_size": size, "optimizer": updater.settings}
    ids, per_batch = text.ids[rows], how.choice["tokens_per_batch"]
    make = partial(one_update, model(), updater, ids, tokens_per_batch=per_batch)
    return Update(make, record, (note, *assumed, *updater.notes))


def _say(
    source: str,
    documents: list[dict[str, Any]],
    written: tuple[Path, Path] | None,
    as_json: bool,
    failed: list[Failure],
) -> None:
    """written: the folder of --out, and the store that holds the documents."""
    if written is not None and documents:
        _write(*written, Path(source).absolute().name, documents)
    if as_json:
        print_json("checkpoints", documents, failed)
    elif documents:
        from zerosum.cli.gradients_words import show

        show(source, documents, written[0] if written else None)


def _write(out: Path, store: Path, name: str, documents: list[dict[str, Any]]) -> None:
    from zerosum.cli.gradients_tables import write_tables
    from zerosum.gradients import open_gradients
    from zerosum.show.gradients.measured import gradients_of
    from zerosum.show.gradients.write import write_gradients
    from zerosum.training.run_folder import writing

    with writing(out), busy("writing tables and figures"):
        write_tables(out, documents)
        measured = open_gradients(store, [one["step"] for one in documents])
        write_gradients(gradients_of(measured, name), out, made_with())
