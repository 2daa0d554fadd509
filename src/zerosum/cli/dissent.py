"""`zerosum dissent`: how far attraction towards the labels and repulsion from all other tokens oppose each other."""

from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.cli.data_options import Data
from zerosum.cli.model_options import MAIN, Device, TokensPerBatch, batch_tokens, usable_device
from zerosum.cli.options import expand_option_groups
from zerosum.cli.output import make_folder
from zerosum.cli.progress import progress
from zerosum.cli.sources import AsJson, Failure, each, finish, print_json

if TYPE_CHECKING:
    from zerosum.checkpoints import Checkpoint, Run
    from zerosum.cli.progress import Show
    from zerosum.tokens import TokenSequences


@expand_option_groups
def dissent(
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
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for dissent.json, tables as CSV, and figures.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    device: Device = "auto",
    tokens_per_batch: TokensPerBatch = "auto",
    as_json: AsJson = False,
) -> None:
    """Say how far the two forces of the cross-entropy gradient oppose each other: gradient dissent.

    Attraction a = (1 − q_y)(w_y − w̄) pulls towards the label, repulsion r pushes away from all other tokens. Dissent is
    −cos(a, r): of each token at its last hidden state, of each row of the head, and of all tokens together in every
    layer below. 1 is total dissent. Of all tokens together it is 1 wherever their mean loss is stationary (unless
    embedding and head are one matrix), so the loss always stands beside it.
    """
    size, place = batch_tokens(tokens_per_batch), usable_device(device)
    if out is not None:
        make_folder(out)
    runs, failed = each([(checkpoint, checkpoint)], _opened)
    documents: list[dict[str, Any]] = []
    number = 1
    for _, run in runs:
        number = len(run.checkpoints)
        with progress() as show:
            measured = _Measured(run, data, seed, size, place, show)
            found, unmeasured = each([(one.name, one) for one in run.checkpoints], measured.document)
        documents, failed = [one for _, one in found], [*failed, *unmeasured]
    if MAIN:
        _say(checkpoint, documents, out, as_json, failed)
    finish(failed, number)


def _opened(source: str) -> "Run":
    from zerosum.checkpoints import open_run

    return open_run(source)


@dataclass
class _Measured:
    """How every checkpoint of one run is measured. tokens: the same for all, read with the first one."""

    run: "Run"
    data: Data
    seed: int
    tokens_per_batch: Any
    device: str
    show: "Show"
    tokens: "TokenSequences | None" = field(default=None, init=False)

    def document(self, checkpoint: "Checkpoint") -> dict[str, Any]:
        """One checkpoint, measured or, of a run where the same was measured before, read."""
        from zerosum.cli.kept import kept, write_kept
        from zerosum.gradients.source import head, units_of
        from zerosum.runs import RunDirectory

        model = None
        if self.tokens is None:
            model = self._model(checkpoint)
            self.tokens, _ = self.data.read(checkpoint.path, model.config)
        file = RunDirectory(self.run.path).dissent / f"step-{checkpoint.step}.json"
        keep = len(self.run.checkpoints) > 1
        record = {"seed": self.seed, "data_sha256": self.tokens.sha256, "units": units_of(self.tokens)}
        if keep:
            record |= {"weights": checkpoint.weight_hash(), "config": checkpoint.config_hash()}
            record |= {"zerosum": version("zerosum")}
            if (before := kept(file, record)) is not None:
                return before | head(checkpoint)
        document = self._found(checkpoint, model or self._model(checkpoint), self.tokens)
        if keep and MAIN:
            write_kept(file, record, document)
        return document

    def _model(self, checkpoint: "Checkpoint") -> Any:
        from zerosum.checkpoints import load_model

        return load_model(checkpoint, device=self.device)

    def _found(self, checkpoint: "Checkpoint", model: Any, tokens: "TokenSequences") -> dict[str, Any]:
        from zerosum.dissent import measure_dissent
        from zerosum.gradients.source import head, units_of

        label, units = f"step {checkpoint.step}: dissent", units_of(tokens)
        found = measure_dissent(
            model,
            tokens.ids,
            unit=tokens.document if units == "document" else None,
            seed=self.seed,
            tokens_per_batch=self.tokens_per_batch,
            along=lambda words, done, of: self.show(label, of, done, "") if MAIN else None,
        )
        return head(checkpoint) | replace(found, units=units).to_json()


def _first_reached(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where head and body first get to each level; nothing of a single checkpoint."""
    from zerosum.dissent import DISSENT_LEVELS, first_reached
    from zerosum.show.dissent.subject import BATCH, known, value_of

    if len(documents) < 2:
        return []
    steps, losses = [one["step"] for one in documents], [known(one["loss"]["mean"]) for one in documents]
    return [
        {"of": place}
        | first_reached(steps, losses, [value_of(one, place, "dissent").value for one in documents], level).to_json()
        for place in BATCH
        for level in DISSENT_LEVELS
    ]


def _say(source: str, documents: list[dict[str, Any]], out: Path | None, as_json: bool, failed: list[Failure]) -> None:
    from zerosum.show.dissent.subject import DissentOverTraining

    reached = _first_reached(documents)
    over = DissentOverTraining.of(documents, reached)
    if out is not None and documents:
        failed += each([(str(out), out)], lambda folder: _written(over, folder, failed))[1]
    if as_json:
        print_json("checkpoints", documents, failed, first_reached=reached)
    elif documents:
        from zerosum.cli.dissent_words import show

        show(source, over, out)


def _written(over: Any, out: Path, failed: list[Failure]) -> None:
    from zerosum.cli.progress import busy
    from zerosum.show.dissent.write import write_dissent
    from zerosum.training.run_folder import writing

    with writing(out), busy("writing tables and figures"):
        write_dissent(over, out, [{"source": one.source, "message": one.message} for one in failed])
