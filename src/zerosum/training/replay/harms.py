"""Measure who harms whom at a checkpoint: real steps on one group of tokens each, and one step split among groups."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64

from zerosum.checkpoints import load_model, only_checkpoint
from zerosum.errors import InputError
from zerosum.gradients import first_order_changes
from zerosum.gradients.batches import require_memory
from zerosum.interference.labelled import Columns, HarmMatrix, HarmRow, RowSums, TokenText, harm_pairs, harm_split
from zerosum.losses import token_losses
from zerosum.tokens import TokenSequences
from zerosum.training.optimizer_choice import Choice
from zerosum.training.replay.checkpoint_steps import Read, StepOptions
from zerosum.training.replay.group_steps import (
    Gradient,
    Stepper,
    Update,
    clip_factor,
    mean_gradients,
    scaled,
    shares_of_update,
    total,
)
from zerosum.training.replay.real_steps import sequences_at_a_time, step_size
from zerosum.training.replay.step_groups import GroupBatch, StepGroups, step_groups
from zerosum.training.replay.unseen import unseen_parts
from zerosum.training.replay.updater import Updater, find_updater

BATCHES = 4  # each takes a step for every group

TextOf = Callable[[Path], TokenText | None]
"""The decoder of the tokens of a model in this folder, None where there is none."""


@dataclass
class _Rows:
    """Sums of every row of both matrices, in the order of the groups."""

    real: list[RowSums]
    shares: list[RowSums]
    idle_real: RowSums
    idle_share: RowSums
    whole: RowSums


def measure_harms(
    source: str,
    train: Read,
    held_out: Read,
    by: str,
    options: StepOptions,
    text: TextOf = lambda folder: None,
    along: Callable[[int], Iterable[Any]] = range,
) -> HarmMatrix:
    """The change of the loss on the held-out tokens of each group by a step on the training tokens of each group.

    by: a name of `grouping_names()`. options: `batches` None means 4; with the grouping by domain a batch has
    `batch_size` sequences of each domain. along: shows progress; given the number of steps, it yields once for each
    batch. Raises InputError as `measure_steps` and `step_groups`.
    """
    checkpoint = only_checkpoint(source)
    model = load_model(checkpoint, device=options.device)
    updater = find_updater(checkpoint.path, model, Choice.parse(options.optimizer), options.clip)
    train_text, heldout_text = (read(checkpoint.path, model.config) for read in (train, held_out))
    size, notes = step_size(updater, options.batch_size)
    number, step = options.batches or BATCHES, checkpoint.known_step
    groups = step_groups(
        by,
        train_text,
        heldout_text,
        lambda ids: token_losses(model, ids, tokens_per_batch=options.tokens_per_batch),
        size,
        number,
        options.seed,
        text(checkpoint.path),
        step or 0,
    )
    unseen = unseen_parts(checkpoint.path, model)
    matrix = harm_matrix(model, updater, train_text, heldout_text, groups, options, along)
    all_notes = (*updater.notes, *notes, *matrix.notes, *(part.message for part in unseen))
    return replace(matrix, source=source, step=step, by=by, notes=all_notes, unseen=unseen)


def harm_matrix(
    model: Any,
    updater: Updater,
    train: TokenSequences,
    held_out: TokenSequences,
    groups: StepGroups,
    options: StepOptions,
    along: Callable[[int], Iterable[Any]] = range,
) -> HarmMatrix:
    """The matrix of a model that is loaded, without the name of its checkpoint; the model is restored."""
    measurement = _Measurement(model, updater, train, held_out, groups, options)
    rows = measurement.rows(along)
    K, seed = len(groups.names), options.seed

    def shown(of_groups: list[RowSums], idle: RowSums) -> Iterator[HarmRow]:
        for sums, name in zip(of_groups, groups.names, strict=True):
            yield sums.row("group", name, K, seed)
        yield idle.row("no-gradient", "", K, seed)

    return HarmMatrix(
        source="",
        step=None,
        by="",
        by_note=groups.note,
        settings=updater.settings,
        notes=tuple(_notes_on(updater, groups)),
        unseen=(),
        groups=groups.names,
        weights=tuple(np.mean([batch.weights for batch in groups.batches], axis=0).tolist()),
        train_tokens=tuple(_tokens(groups).mean(0).tolist()),
        heldout_tokens=(*_counts(groups.held_out, K), int((groups.held_out >= 0).sum())),
        loss=measurement.losses(),
        n_batches=len(groups.batches),
        real=(*shown(rows.real, rows.idle_real), rows.whole.row("all-tokens", "", K, seed)),
        shares=tuple(shown(rows.shares, rows.idle_share)),
        harm_real=harm_split(rows.real, None, K, seed),
        harm_shares=harm_split(rows.shares, rows.idle_share, K, seed),
        pairs=tuple(harm_pairs(rows.real, K, seed)),
    )


def _counts(code: Int64[np.ndarray, "S T"], n_groups: int) -> tuple[int, ...]:
    return tuple(np.bincount(code[code >= 0], minlength=n_groups).tolist())


def _tokens(groups: StepGroups) -> Int64[np.ndarray, "B K"]:
    return np.array([_counts(batch.code, len(groups.names)) for batch in groups.batches])


def _notes_on(updater: Updater, groups: StepGroups) -> list[str]:
    notes, tokens = [], _tokens(groups).mean(0)
    if not updater.rule.is_plain:
        kinds = f"objective {updater.rule.objective.kind}, aggregator {updater.rule.aggregator.kind}"
        notes.append(f"steps on the plain mean cross-entropy, not with the run's {kinds}")
    small = [name for name, n in zip(groups.names, tokens, strict=True) if n < 0.5 * np.median(tokens)]
    if small:
        words = ", ".join(small[:4]) + (" and more" if len(small) > 4 else "")
        notes.append(f"fewer training tokens than half of the median row, so a noisier step: {words}")
    return notes


class _Measurement:
    """Takes the steps of every batch and adds what they change to the sums of the rows."""

    def __init__(
        self,
        model: Any,
        updater: Updater,
        train: TokenSequences,
        held_out: TokenSequences,
        groups: StepGroups,
        options: StepOptions,
    ):
        self._model, self._updater, self._options = model.eval(), updater, options
        self._train, self._held_out, self._groups = train, held_out, groups
        parameters = list(model.parameters())
        copies = 2 * len(groups.names) + 6
        bytes_each = sum(parameter.numel() * parameter.element_size() for parameter in parameters)
        require_memory(copies * bytes_each, parameters[0].device, "gradients and updates of all groups")
        self._stepper = Stepper(model, updater, [parameter.detach().clone() for parameter in parameters])
        self._before = self._measured_losses()
        document = held_out.document.reshape(len(held_out.ids), -1)
        self._columns = Columns.of(groups.held_out, np.broadcast_to(document, groups.held_out.shape), len(groups.names))

    def rows(self, along: Callable[[int], Iterable[Any]]) -> _Rows:
        """The sums of all batches."""
        K = len(self._groups.names)
        rows = _Rows([RowSums() for _ in range(K)], [RowSums() for _ in range(K)], RowSums(), RowSums(), RowSums())
        for number, (batch, _) in enumerate(zip(self._groups.batches, along(len(self._groups.batches)), strict=True)):
            self._add(rows, batch, number)
        return rows

    def losses(self) -> tuple[float, ...]:
        """Mean loss of the held-out tokens of each group before a step, and of all of them; NaN where there is none."""
        code = self._groups.held_out
        parts = [*(code == group for group in range(len(self._groups.names))), code >= 0]
        return tuple(float(self._before[part].mean()) if part.any() else float("nan") for part in parts)

    def _add(self, rows: _Rows, batch: GroupBatch, number: int) -> None:
        clip = self._updater.clip
        gradients = self._gradients(batch)
        present = [group for group, gradient in enumerate(gradients) if gradient is not None]
        parts = [scaled(gradients[group] or [], float(batch.weights[group])) for group in present]
        factor = clip_factor(total(parts), clip)
        shares, idle = shares_of_update(
            self._stepper, [scaled(part, factor) for part in parts], self._options.seed + number
        )
        whole = [torch.stack(of_each).sum(0) for of_each in zip(idle, *shares, strict=True)]
        after_idle = self._after(idle)
        self._put(number, rows.idle_real, after_idle - self._before)
        self._put(number, rows.idle_share, self._first_order(idle))
        self._put(number, rows.whole, self._after(whole) - self._before)
        for share, group in zip(shares, present, strict=True):
            own = gradients[group] or []
            alone = self._stepper.update(scaled(own, clip_factor(own, clip)))
            self._put(number, rows.real[group], self._after(alone) - after_idle)
            self._put(number, rows.shares[group], self._first_order(share))

    def _gradients(self, batch: GroupBatch) -> list[Gradient | None]:
        """At the weights at which the optimizer takes gradients, which for some are not those that are evaluated."""
        ids = self._train.ids[batch.rows]
        rows = sequences_at_a_time(self._model, ids.shape[1] - 1, self._options.tokens_per_batch)
        self._updater.restart()
        try:
            return mean_gradients(self._model, ids, batch.code, len(self._groups.names), rows)
        finally:
            self._stepper.reset()

    def _after(self, update: Update) -> Float[np.ndarray, "S T"]:
        with self._stepper.moved(update):
            return self._measured_losses()

    def _measured_losses(self) -> Float[np.ndarray, "S T"]:
        size = self._options.tokens_per_batch
        losses: Float32[np.ndarray, "S T"] = token_losses(self._model, self._held_out.ids, tokens_per_batch=size)
        return losses.astype(np.float64)

    def _first_order(self, update: Update) -> Float[np.ndarray, "S T"]:
        named = {
            name: part
            for (name, parameter), part in zip(self._model.named_parameters(), update, strict=True)
            if parameter.requires_grad
        }
        return first_order_changes(
            self._model, self._held_out.ids, named, tokens_per_batch=self._options.tokens_per_batch
        )

    def _put(self, number: int, row: RowSums, x: Float[np.ndarray, "S T"]) -> None:
        if not np.isfinite(x[self._groups.held_out >= 0]).all():
            raise InputError(
                "a loss after a step is not finite. Is the learning rate or a moment of the optimizer damaged? Give "
                "another rate with --optimizer."
            )
        row.add(np.nan_to_num(x), self._columns, number)
