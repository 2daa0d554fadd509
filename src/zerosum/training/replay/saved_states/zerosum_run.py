"""Checkpoints of zerosum's own runs: `training_state.pt`, and the run's recipe beside the checkpoint."""

from pathlib import Path

from safetensors import SafetensorError
from torch import nn

from zerosum.checkpoints.weights import inside, load_pickled
from zerosum.errors import InputError
from zerosum.training.recipe import Recipe
from zerosum.training.replay.saved_states._saved_state import NamedParameters, SavedState, Source
from zerosum.training.resume_state import PARTS, RESUME_FILE, optimizer_state
from zerosum.training.run_folder import RECIPE


def matches(folder: Path) -> bool:
    """Whether the folder holds such a state."""
    return (folder / RESUME_FILE).is_file()


def load(folder: Path, model: nn.Module) -> SavedState:
    """Raises InputError where the recipe is missing or the state is damaged."""
    file = folder / RESUME_FILE
    saved = load_pickled(inside(folder, RESUME_FILE))
    if not (isinstance(saved, dict) and isinstance(saved.get("step"), int) and "optimizer" in saved):
        raise InputError(f"{file}: holds no training state. Copy it again, or give --optimizer adamw:lr=RATE.")
    try:
        content = optimizer_state(folder, saved)
    except InputError:
        raise
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{file}: the optimizer's state is damaged, or a part of it is missing in {folder / PARTS}. Copy the "
            "folder again, or give --optimizer adamw:lr=RATE."
        ) from error
    recipe_file = folder.resolve().parent / RECIPE
    if not recipe_file.is_file():
        raise InputError(
            f"{recipe_file}: not there, and rate, clipping and batch size of the step are in it. Copy it there, or "
            "give --optimizer adamw:lr=RATE."
        )
    recipe = Recipe.load(recipe_file)
    return SavedState(
        file=file,
        content=content,
        groups=_groups(recipe, model),
        rule=recipe.optimizer.groups_rule,
        optimizer=recipe.optimizer.kind,
        lr=recipe.learning_rate(saved["step"] + 1),
        clip=recipe.optimizer.clip,
        batch_size=recipe.batch.sequences,
    )


def _groups(recipe: Recipe, model: nn.Module) -> list[NamedParameters]:
    """Parameters as the recipe's optimizer groups them."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups = recipe.optimizer.groups(model)
    return [[(names[parameter], parameter) for parameter in group["params"]] for group in groups]


SOURCE = Source(program="zerosum", file=RESUME_FILE, matches=matches, load=load, rank=0)
