"""How the run of a checkpoint computed the gradient of its next step, so that the step can be repeated from it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Int64

from zerosum.errors import InputError
from zerosum.tokens import TokenSequences
from zerosum.training.gradient_rule import PLAIN, GradientRule
from zerosum.training.recipe import Recipe
from zerosum.training.reference import load_reference, reference_facts, require_readable
from zerosum.training.resume_state import RESUME_FILE
from zerosum.training.run_folder import DATA, RECIPE, step_of


class NotReplayable(InputError):
    """The step of a run cannot be repeated, because something that decided it is gone."""

    code: ClassVar[str | None] = "not-replayable"


def replayed_rule(path: Path, device: torch.device) -> tuple[GradientRule, tuple[str, ...]]:
    """The rule of a checkpoint's run, and what users have to know about it; the plain rule for runs of other programs.

    Raises NotReplayable where the reference model is gone or has changed, or the step is not known.
    """
    recipe_file = path.resolve().parent / RECIPE
    if not (path / RESUME_FILE).is_file():
        return PLAIN, ()
    if not recipe_file.is_file():
        return PLAIN, (f"{RECIPE} is not beside the checkpoint: steps on the mean cross-entropy assumed",)
    recipe, step = Recipe.load(recipe_file), step_of(path)
    rule = GradientRule(recipe.objective, recipe.aggregator, seed=recipe.seed, step=step or 0)
    if rule.is_plain:
        return PLAIN, ()
    if step is None:
        raise NotReplayable(
            f"{path}: its objective or aggregator depends on the step, which the name of the folder does not state. "
            "Name it checkpoint-<step> again."
        )
    notes = (f"gradients as in {RECIPE}: objective {rule.objective.kind}, aggregator {rule.aggregator.kind}",)
    source = rule.objective.reference_model
    return (rule if source is None else replace(rule, reference=_reference(path, source, device))), notes


def _reference(path: Path, source: str, device: torch.device) -> torch.nn.Module:
    try:
        model: torch.nn.Module = load_reference(source, device)
        facts = reference_facts(source)
        recorded = json.loads((path.resolve().parent / DATA).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise NotReplayable(
            f"{path}: the reference model of its objective, or its hash in {DATA}, cannot be read "
            f"({' '.join(str(error).split())[:160]}). Put them back to repeat a step of this run."
        ) from error
    if not isinstance(recorded, dict) or any(recorded.get(name) != value for name, value in facts.items()):
        raise NotReplayable(
            f"{path}: {source} has other weights than the reference model of this run. Put the old ones back to repeat "
            "a step."
        )
    return model


def training_domains(rule: GradientRule, text: TokenSequences) -> Int64[np.ndarray, " S"]:
    """[S] the domain of each training sequence, 0 where the rule needs none.

    Raises NotReplayable where it needs domains and the text has none, and InputError where the reference model cannot
    read the text.
    """
    if rule.reference is not None:
        source = str(rule.objective.reference_model)
        require_readable(rule.reference, source, int(text.ids.max()) + 1, text.ids.shape[1] - 1)
    if not rule.aggregator.needs_domains:
        return np.zeros(len(text.ids), dtype=np.int64)
    if text.domain is None:
        raise NotReplayable(
            "the run's aggregator groups sequences by domain, and the --train data has no domains. Give data with "
            "domains."
        )
    return text.domain.reshape(len(text.ids), -1)[:, 0].astype(np.int64)
