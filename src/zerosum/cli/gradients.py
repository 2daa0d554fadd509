"""`zerosum gradients`: how far the gradients of single tokens oppose each other, and what that does to an update."""

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.data_options import Data
from zerosum.cli.model_options import Device, TokensPerBatch, batch_tokens, usable_device
from zerosum.cli.options import spelled_out
from zerosum.cli.output import make_folder
from zerosum.cli.progress import progress
from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.checkpoints import Checkpoint, Run
    from zerosum.cli.progress import Show

BATCH_SIZE = 32  # training sequences of a step, where the run does not say
MOST_TRAIN = 4_096  # sequences of training text that a batch is drawn from


class MethodChoice(StrEnum):
    """How the sums over tokens are made."""

    AUTO = "auto"
    EXACT = "exact"
    SAMPLED = "sampled"
    GENERAL = "general"
    ORACLE = "oracle"


@dataclass(frozen=True)
class _How:
    """How every checkpoint of one call is measured."""

    data: Data
    after: str | None
    train: tuple[str, ...]
    method: str
    budget: float | int
    sample: int
    verify: int
    seed: int
    device: str
    tokens_per_batch: Any

    @property
    def record(self) -> dict[str, Any]:
        """What decides the numbers of a checkpoint beside its weights and tokens, to know results that still hold."""
        budget = {"budget": self.budget} if self.method == "auto" else {}
        train = {"train": list(self.train)} if self.train else {}
        return (
            {"method": self.method, "n_sampled": self.sample, "verify": self.verify, "seed": self.seed} | budget | train
        )


@spelled_out
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
    sample: Annotated[int, typer.Option(min=16, metavar="N", help="Tokens that a sample takes.")] = 256,
    verify: Annotated[int, typer.Option(min=0, metavar="K", help="Compare K tokens with a backward pass each.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for gradients.json, checkpoints.csv, parameters.csv, layers.csv."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the sample, the training batch and the bootstrap.")] = 0,
    device: Device = "auto",
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
    if out is not None:
        make_folder(out)
    place, size = usable_device(device), batch_tokens(tokens_per_batch)
    how = _How(data, after, tuple(train or ()), method.value, budget, sample, verify, seed, place, size)
    runs, failed = each([(checkpoint, checkpoint)], lambda source: _opened(source, how))
    several = [(one.name, one) for _, run in runs for one in run.checkpoints]
    with progress() as show_progress:
        found, unmeasured = each(several, lambda one: _document(runs[0][1], one, how, show_progress))
    failed += unmeasured
    documents = [one for _, one in found]
    if out is not None and documents:
        from zerosum.cli.gradients_tables import write_tables

        write_tables(out, documents)
    if as_json:
        print_json("checkpoints", documents, failed)
    elif documents:
        from zerosum.cli.gradients_words import show

        show(checkpoint, documents)
    finish(failed, len(several))


def _opened(source: str, how: _How) -> "Run":
    from zerosum.checkpoints import open_run

    run = open_run(source)
    number = len(run.checkpoints)
    if number > 1 and how.after is not None:
        raise InputError(f"{source}: {number} checkpoints. Give one of them with --after, or use --train.")
    return run


def _document(run: "Run", checkpoint: "Checkpoint", how: _How, show: "Show") -> dict[str, Any]:
    """One checkpoint, measured or, of a run where the same was measured before, read."""
    from zerosum.checkpoints import load_model
    from zerosum.cli.gradients_kept import kept, write_kept
    from zerosum.gradients import gradient_interference
    from zerosum.gradients._verify import verify

    keep = len(run.checkpoints) > 1
    file = run.measured / "gradients" / f"step-{checkpoint.step}.json"
    model = load_model(checkpoint, device=how.device)
    tokens, _ = how.data.read(checkpoint.path, model.config)
    record = how.record | {"data_sha256": tokens.sha256}
    if keep:
        record |= {"weights": checkpoint.weight_hash()}
        if (before := kept(file, record)) is not None:
            return before
    update, notes = _update(checkpoint, model, how)
    label = f"step {checkpoint.step}: token gradients"
    found = gradient_interference(
        model,
        tokens.ids,
        update,
        method=how.method,
        n_sampled=how.sample,
        seed=how.seed,
        budget=how.budget,
        tokens_per_batch=how.tokens_per_batch,
        along=lambda words, done, of: show(label, of, done, words),
    )
    found = replace(found, notes=(*found.notes, *notes))
    document = {"source": checkpoint.name, "step": checkpoint.step, "tokens_seen": checkpoint.tokens_seen}
    document |= {} if checkpoint.tokens_seen is not None else {"tokens_seen_reason": "neither the run nor a name says"}
    document |= found.to_json()
    if how.verify:
        document["verify"] = vars(verify(model, tokens.ids, update, K=how.verify, seed=how.seed))
    if keep:
        write_kept(file, record, document)
    return document


def _update(checkpoint: "Checkpoint", model: Any, how: _How) -> tuple[Any, list[str]]:
    """The update, if one was asked for, and what to know about it."""
    if how.after is not None:
        from zerosum.checkpoints import load_model, open_run
        from zerosum.gradients._prepare import update_between

        later = open_run(how.after).checkpoints
        if len(later) > 1:
            raise InputError(f"--after {how.after}: {len(later)} checkpoints. Give one of them.")
        other = load_model(later[0], device=how.device)
        return update_between(model, other), [f"update: step {later[0].step} minus step {checkpoint.step}"]
    if how.train:
        from zerosum.training.one_update import one_update
        from zerosum.training.optimizer_states import find_updater
        from zerosum.training.real_steps import draw_batches

        updater = find_updater(checkpoint.path, model)
        text, _ = replace(how.data, data=list(how.train), max_sequences=MOST_TRAIN).read(checkpoint.path, model.config)
        size = updater.batch_size or BATCH_SIZE
        rows = draw_batches(len(text.ids), size, 1, how.seed)[0]
        note = f"update: one step of {updater.settings['name']} on {size} training sequences"
        assumed = [] if updater.batch_size else [f"the run's batch size is not saved: {BATCH_SIZE} sequences assumed"]
        update = one_update(model, updater, text.ids[rows], tokens_per_batch=how.tokens_per_batch)
        return update, [note, *assumed, *updater.notes]
    return None, []
