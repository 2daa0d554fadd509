"""What is wrong with measured checkpoints: said, not averaged in."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Problem = dict[str, Any]
TIMES = 5.0  # the run's own roughness
SHARE = 0.02  # of the loss itself
FEWEST = 5  # checkpoints, below which a run says nothing of its roughness
_NEAR = 2  # neighbours on each side


def identical_weights(hashes: Mapping[int, str]) -> list[Problem]:
    """Steps whose weights are the same, bit for bit: a copy, or a checkpoint that was not trained on."""
    steps_of = defaultdict(list)
    for step, digest in hashes.items():
        steps_of[digest].append(step)
    return [
        _problem("identical-weights", steps, f"steps {_listed(steps)} have identical weights")
        for steps in steps_of.values()
        if len(steps) > 1
    ]


def implausible_losses(means: Mapping[int, float]) -> list[Problem]:
    """Checkpoints whose mean loss does not fit between their neighbours, or is no number.

    A checkpoint stands out where its loss is above all of its two neighbours on each side, or below all of them, by
    more than 2 % of its loss and 5 times the run's roughness: the median distance of a checkpoint's loss from the mean
    of the one before and the one after. At the ends only the impossible direction counts: a last loss above, a first
    loss below. Runs of fewer than five checkpoints are not judged.
    """
    found = [
        _problem("implausible-loss", [step], f"step {step}: its mean loss is no number")
        for step, mean in means.items()
        if not math.isfinite(mean)
    ]
    steps = sorted(step for step, mean in means.items() if math.isfinite(mean))
    if len(steps) < FEWEST:
        return found
    loss = np.array([means[step] for step in steps])
    rough = float(np.median(np.abs(loss[1:-1] - (loss[:-2] + loss[2:]) / 2)))
    for index, step in enumerate(steps):
        before, after = loss[max(0, index - _NEAR) : index], loss[index + 1 : index + 1 + _NEAR]
        others = np.concatenate([before, after])
        above = loss[index] - others.max() if len(before) else -math.inf
        below = others.min() - loss[index] if len(after) else -math.inf
        if max(above, below) > max(TIMES * rough, SHARE * abs(loss[index])):
            near = f"{others.min():.4g} to {others.max():.4g} at its neighbours"
            found.append(
                _problem("implausible-loss", [step], f"step {step}: mean loss {loss[index]:.4g}, but {near} (nats)")
            )
    return found


def tokenizer_misfit(means: Mapping[int, float], vocab_size: int | None, n_tokens: int | None) -> list[Problem]:
    """Signs that the tokens are not those that the model was trained on.

    n_tokens: of the tokenizer. Where every trained checkpoint is clearly worse than guessing evenly (a loss 10 % above
    ln V), the tokens, or the weights, belong to something else.
    """
    if vocab_size is None:
        return []
    found = []
    if n_tokens is not None and n_tokens > vocab_size:
        words = f"the tokenizer has {n_tokens:,} tokens, the model knows {vocab_size:,}"
        found.append(_problem("tokenizer-misfit", [], words))
    trained = {step: mean for step, mean in means.items() if step > 0 and math.isfinite(mean)}
    even = math.log(vocab_size)
    if trained and min(trained.values()) > 1.1 * even:
        words = f"every mean loss is far above ln {vocab_size:,} = {even:.4g} nats, which is guessing evenly"
        found.append(_problem("tokenizer-misfit", sorted(trained), f"{words}: other tokens than the model's?"))
    return found


def measured_otherwise(notes: Mapping[int, Sequence[str]]) -> list[Problem]:
    """Where the usual way did not work, one entry for each thing noted."""
    steps_of = defaultdict(list)
    for step, ones in notes.items():
        for note in dict.fromkeys(ones):
            steps_of[note].append(step)
    return [_problem("measured-otherwise", steps, note) for note, steps in steps_of.items()]


def _problem(code: str, steps: list[int], message: str) -> Problem:
    return {"code": code, "steps": steps, "message": message}


def _listed(steps: list[int]) -> str:
    return ", ".join(map(str, steps[:-1])) + f" and {steps[-1]}"
