"""What is wrong with measured checkpoints: reported, not averaged in."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from zerosum.checkpoints import Problem
from zerosum.missing import step_words

MEASURED_OTHERWISE = "measured-otherwise"  # code of the problem that a model was measured in another way than usual
TIMES = 5.0  # the run's own roughness
SHARE = 0.02  # of the loss
FEWEST = 5  # checkpoints from which the roughness of a run can be measured
_NEAR = 2  # neighbours on each side


def implausible_losses(means: Mapping[int, float], broken: Mapping[int, str | None]) -> list[Problem]:
    """Checkpoints whose mean loss does not fit between their neighbours, or is no number.

    broken: step -> a tensor of the checkpoint that holds NaN or infinite numbers, None where none does;
    a step whose weights were not looked at is not in it.

    A checkpoint stands out where its loss is above all of its two neighbours on each side, or below all of them, by
    more than 2 % of its loss and 5 times the run's roughness: the median distance of a checkpoint's loss from the mean
    of the checkpoints before and after. Above needs two neighbours before it, below two after it: at the ends of a run
    the neighbour could be wrong, and a first loss is the highest anyway. Runs of fewer than five checkpoints
    are not judged.
    """
    problems = [
        Problem("implausible-loss", (step,), _no_number(step, broken))
        for step, mean in means.items()
        if not math.isfinite(mean)
    ]
    steps = sorted(step for step, mean in means.items() if math.isfinite(mean))
    if len(steps) < FEWEST:
        return problems
    loss = np.array([means[step] for step in steps])
    rough = float(np.median(np.abs(loss[1:-1] - (loss[:-2] + loss[2:]) / 2)))
    for index, step in enumerate(steps):
        before, after = loss[max(0, index - _NEAR) : index], loss[index + 1 : index + 1 + _NEAR]
        others = np.concatenate([before, after])
        above = loss[index] - others.max() if len(before) == _NEAR else -math.inf
        below = others.min() - loss[index] if len(after) == _NEAR else -math.inf
        if max(above, below) > max(TIMES * rough, SHARE * abs(loss[index])):
            near = f"{others.min():.4g} to {others.max():.4g} at its neighbours"
            problems.append(
                Problem("implausible-loss", (step,), f"step {step}: mean loss {loss[index]:.4g}, but {near} (nats)")
            )
    return problems


def _no_number(step: int, broken: Mapping[int, str | None]) -> str:
    words = f"{step_words(step)}: its mean loss is no number"
    if step not in broken:
        return f"{words}. Leave it out."
    if (tensor := broken[step]) is None:
        return f"{words}, though its weights are: the losses overflow. Measure with --dtype float32, or leave it out."
    return f"{words}: its weights hold NaN or infinite numbers ({tensor[:80]!a}). Copy it again, or leave it out."


def worse_than_chance(means: Mapping[int, float], vocab_size: int | None) -> list[Problem]:
    """A sign that the tokens, or the weights, belong to something else.

    Every trained checkpoint is clearly worse than guessing evenly: its mean loss is 10 % above ln V.
    """
    trained = {step: mean for step, mean in means.items() if step != 0 and math.isfinite(mean)}
    if vocab_size is None or not trained or min(trained.values()) <= 1.1 * math.log(vocab_size):
        return []
    even = f"ln {vocab_size:,} = {math.log(vocab_size):.4g} nats"
    words = f"every mean loss is far above {even}, which is guessing evenly: are these tokens of the model's tokenizer?"
    return [Problem("tokenizer-does-not-fit", tuple(sorted(trained)), words)]


def noted(code: str, notes: Mapping[int, Sequence[str]]) -> list[Problem]:
    """Problems of one code, an entry for each note. notes: step -> notes."""
    steps_of = defaultdict(list)
    for step, of_step in notes.items():
        for note in dict.fromkeys(of_step):
            steps_of[note].append(step)
    return [Problem(code, tuple(steps), note) for note, steps in steps_of.items()]
