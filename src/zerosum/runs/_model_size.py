"""Parameters of the model that a run trains, counted from its configuration; no weights are read."""

import math
from pathlib import Path
from typing import Any

import yaml

from zerosum.checkpoints.kinds.hugging_face import read_json
from zerosum.curves.folders import OUR_LOG
from zerosum.errors import InputError, MissingExtra
from zerosum.runs._directory import RECIPE

CONFIG = "config.json"
MOST_LAYERS, MOST_WIDTH = 1_000, 1_000_000  # a damaged or hostile file could ask for any


def model_size(source: str | Path) -> tuple[int, int] | None:
    """Trainable parameters of a run with and without embeddings and head; None where it has no configuration.

    source: a run directory, its loss log, or a folder with config.json. A matrix shared by embedding and head counts
    once, as embedding. Needs transformers, which builds the model without memory for its weights. Raises InputError
    where the configuration cannot be used.
    """
    path = Path(source)
    folder = path.parent if path.name in (OUR_LOG, "trainer_state.json") else path
    if not folder.is_dir():
        return None
    candidates = [folder / CONFIG, *sorted(folder.glob(f"checkpoint-*/{CONFIG}"))]
    file = next((file for file in candidates if file.is_file()), None)
    if file is not None:
        return _counted(file, read_json(file))
    recipe = folder / RECIPE
    return _counted(recipe, _model_of(recipe)) if recipe.is_file() else None


def _model_of(recipe: Path) -> dict[str, Any]:
    """The settings of the model in a recipe, as a configuration has them."""
    try:
        model = yaml.safe_load(recipe.read_text(encoding="utf-8"))["model"]
        settings = {name: value for name, value in model.items() if name not in ("family", "trained_norms")}
        return {"model_type": str(model["family"]), "bos_token_id": None, "eos_token_id": None, **settings}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        raise InputError(f"{recipe}: has no model to count. Give its size: --params N,... (params=).") from None


def _counted(file: Path, settings: dict[str, Any]) -> tuple[int, int]:
    for name, value in settings.items():
        if isinstance(value, int) and (value > MOST_WIDTH * MOST_LAYERS or ("layer" in name and value > MOST_LAYERS)):
            raise InputError(
                f"{file}: {name[:60]!a} is {value}, more than any model has. Correct it, or give --params."
            )
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM

        from zerosum.gradients.parameters import NOT_IN_D_GRAD, trainable
    except ImportError as missing:
        raise MissingExtra(missing.name or "transformers", "lm") from missing
    try:
        config = AutoConfig.for_model(**settings)
        with torch.device("meta"):
            parameters = trainable(AutoModelForCausalLM.from_config(config))
    except Exception as error:  # transformers raises errors of many types
        cause = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{file}: no model of it can be built ({cause}). Give its size: --params N,...") from error
    sizes = [(parameter.kind, math.prod(parameter.tensor.shape)) for parameter in parameters]
    return sum(n for _, n in sizes), sum(n for kind, n in sizes if kind not in NOT_IN_D_GRAD)
