"""The gradient of a batch: of the mean cross-entropy, of an objective, or combined from those of groups of tokens.

Letters: S sequences of T predicted tokens in the batch of all processes, s of them in this process's share, K groups.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from accelerate import Accelerator
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional

from zerosum.tokens import PADDING
from zerosum.training.aggregator_settings import GroupAggregatorSettings
from zerosum.training.batch_share import Share
from zerosum.training.gradient_rule import PLAIN, GradientRule
from zerosum.training.group_gradients import GroupGradients
from zerosum.training.objective_settings import BatchLosses
from zerosum.training.sharding import whole
from zerosum.training.token_groups import groups_by_loss, groups_of_sequences

AfterPass = Callable[[int], None]
"""Called after each of several backward passes, before gradients are clipped, with the number of tokens predicted."""


@dataclass(frozen=True)
class BatchGradient:
    """What was computed with the gradient of a batch.

    loss: mean cross-entropy before the update, nats per token. objective: the value of what is trained, equal to the
    loss where that is trained. norm: Euclidean norm of the gradient before clipping. values: how far the gradients of
    groups of tokens agree, see `agreement`.
    """

    loss: Float[Tensor, ""]
    objective: Float[Tensor, ""]
    norm: Float[Tensor, ""]
    values: dict[str, float] = field(default_factory=dict)


def backward(
    accelerator: Accelerator,
    model: Any,
    tokens: Int64[Tensor, "s L"],
    *,
    clip: float,
    rows: int | None = None,
    rule: GradientRule = PLAIN,
    domain: Int64[Tensor, " s"] | None = None,
    after_pass: AfterPass | None = None,
) -> BatchGradient:
    """Compute the clipped gradient of the parameters: of the mean cross-entropy, or as `rule` says.

    tokens: ids of this process's share; -1 is padding, at the end of sequences only. clip: largest norm of the
    gradient, infinite for none. rows: sequences in each forward and backward pass, all by default; they change the
    memory used and not the update. domain: of each sequence, all 0 by default. after_pass: see `AfterPass`.
    """
    share = Share(accelerator, model, tokens, rows or len(tokens), rule)
    values: dict[str, float] = {}
    if rule.groups is not None:
        # Without the wrapper of data-parallel training: it waits for the other processes in forward passes, but here
        # their number differs between processes; and it averages gradients, but here they are added.
        share = replace(share, model=accelerator.unwrap_model(model))
        domain = torch.zeros_like(tokens[:, 0]) if domain is None else domain
        loss, objective, values = _of_groups(share, rule.groups, domain)
    elif rule.objective.weighs_tokens:
        loss, objective = _of_weighted_tokens(share, after_pass)
    else:
        loss, objective = _of_mean(share, after_pass)
    norm = whole(accelerator.clip_grad_norm_(model.parameters(), clip))
    return BatchGradient(loss, objective, norm, values)


def _of_mean(share: Share, after_pass: AfterPass | None) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The gradient of the mean over all predicted tokens; their mean cross-entropy, and with what is added to it."""
    accelerator, objective = share.accelerator, share.rule.objective
    # Data-parallel training averages the gradients of the processes: each weighs its tokens by processes / N.
    n_predicted = share.sum(share.predicted.sum()).to(share.dtype) / accelerator.num_processes
    total, trained_total = torch.zeros(2, dtype=share.dtype, device=share.tokens.device)
    passes = torch.split(share.tokens, share.rows)
    for number, ids in enumerate(passes, start=1):
        with share.gradients_synchronised(number == len(passes)):
            logits, expected = share.logits(ids), ids[:, 1:].flatten()
            predicted = expected != PADDING
            mean = functional.cross_entropy(logits, expected, ignore_index=PADDING)
            loss = mean * (predicted.sum() / n_predicted)
            added = objective.added(logits)
            trained = loss if added is None else loss + added[predicted].sum() / n_predicted
            accelerator.backward(trained)
        if after_pass and len(passes) > 1:
            after_pass(int(predicted.sum()))
        total += loss.detach()
        trained_total += trained.detach()
    mean_loss = accelerator.reduce(total, "mean")
    return mean_loss, mean_loss if objective.is_plain else accelerator.reduce(trained_total, "mean")


def _of_weighted_tokens(share: Share, after_pass: AfterPass | None) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The gradient of the weighted sum over tokens; their mean cross-entropy, and the weighted sum."""
    passes = share.passes()
    # With one pass, the forward pass that trains gives the losses that the weights depend on, too.
    forward = share.losses(share.tokens) if len(passes) == 1 else None
    losses = share.losses_ahead(passes) if forward is None else forward[0].detach()
    weights = _weights(share, losses)
    objective = torch.zeros((), dtype=share.dtype, device=share.tokens.device)
    for number, index in enumerate(passes, start=1):
        with share.gradients_synchronised(number == len(passes)):
            _, trained = forward or share.losses(share.tokens[index])
            loss = (trained * weights[index]).sum()
            share.accelerator.backward(loss * share.accelerator.num_processes)
        if after_pass and len(passes) > 1:
            after_pass(int(share.predicted[index].sum()))
        objective += loss.detach()
    return _mean(share, losses.sum()), share.sum(objective)


def _of_groups(
    share: Share, aggregator: GroupAggregatorSettings, domain: Int64[Tensor, " s"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], dict[str, float]]:
    """The gradient that the aggregator makes; mean cross-entropy, value of the objective, agreement of the groups."""
    of_sequence = groups_of_sequences(aggregator, share.gather(domain))
    passes = share.passes() if of_sequence is None else _passes_of_groups(share.own(of_sequence), share.rows)
    losses = torch.zeros(share.predicted.shape, dtype=share.dtype, device=share.tokens.device)
    total, objective = torch.zeros(2, dtype=share.dtype, device=share.tokens.device)
    gradients = GroupGradients(share, aggregator)
    forward = share.losses(share.tokens[passes[0]]) if len(passes) == 1 else None
    if forward is not None:
        losses = forward[0].detach()
    elif of_sequence is None or share.rule.objective.weighs_tokens:
        losses = share.losses_ahead(passes)
    weights = _weights(share, losses)
    groups = _by_loss(share, aggregator, losses) if of_sequence is None else share.own(of_sequence)[:, None]
    groups = groups.expand_as(weights)
    for index in passes:
        cross_entropies, trained = forward or share.losses(share.tokens[index])
        present = torch.unique(groups[index][weights[index] != 0]).tolist()
        for group in present:
            loss = (trained * weights[index] * (groups[index] == group)).sum()
            share.accelerator.backward(loss, retain_graph=group != present[-1])
            gradients.collect(group)
            objective += loss.detach()
        total += cross_entropies.detach().sum()
    sizes = torch.bincount(groups[weights != 0], minlength=aggregator.groups)
    return _mean(share, total), share.sum(objective), gradients.combine(share.sum(sizes))


def _passes_of_groups(groups: Int64[Tensor, " s"], rows: int) -> list[Int64[Tensor, " n"]]:
    """Indices of the sequences of each pass, all of one group, so that no pass needs several backward passes."""
    members = [(groups == group).nonzero().flatten() for group in torch.unique(groups)]
    return [index for group in members for index in torch.split(group, rows)]


def _by_loss(share: Share, aggregator: GroupAggregatorSettings, losses: Float[Tensor, "s T"]) -> Int64[Tensor, "s T"]:
    return share.own(groups_by_loss(aggregator, share.gather(losses), share.gather(share.predicted)))


def _weights(share: Share, losses: Float[Tensor, "s T"]) -> Float[Tensor, "s T"]:
    """The objective's weights of this process's tokens, from the losses of the whole batch."""
    reference = share.reference_losses()
    gathered = None if reference is None else share.gather(reference)
    batch = BatchLosses(share.gather(losses), share.gather(share.predicted), gathered, share.rule.step)
    return share.own(share.rule.objective.weights(batch))


def _mean(share: Share, total: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """The mean over the predicted tokens of all processes. total: sum over those of this process."""
    return share.sum(total) / share.sum(share.predicted.sum())
