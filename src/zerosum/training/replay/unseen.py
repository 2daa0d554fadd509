"""Parts of a run's loss that our steps leave out, or that a checkpoint does not show: codes and sentences."""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zerosum.checkpoints.kinds.hugging_face import read_json
from zerosum.errors import InputError
from zerosum.interference.labelled import Unseen
from zerosum.training.replay.trainer_arguments import FILE, PLAIN, read_trainer_arguments

TRAINER_FILES = ("trainer_state.json", "optimizer.pt", FILE)
ONE_MORE_SINCE = (4, 46)  # version of transformers whose Trainer began to divide by counted labels


def unseen_parts(path: Path, model: Any) -> tuple[Unseen, ...]:
    """What the steps from a checkpoint leave out of the run's loss, and what cannot be known. model: loaded from it."""
    is_of_trainer = path.is_dir() and any((path / name).is_file() for name in TRAINER_FILES)
    return (*_in_settings(model), *(_in_trainer(path, model) if is_of_trainer else ()))


def _in_settings(model: Any) -> Iterator[Unseen]:
    settings = model.config.to_dict()
    rates = {
        name: value
        for name, value in settings.items()
        if ("dropout" in name or name.endswith("pdrop"))
        and not name.startswith(("summary", "classifier"))  # settings of heads that a language model lacks
        and isinstance(value, int | float)
        and value > 0
    }
    if rates:
        listed = ", ".join(f"{name} {value:g}" for name, value in rates.items())
        words = f"the model's settings have {listed}; the steps here drop nothing out, so that they are reproducible"
        yield Unseen("dropout", words)
    if settings.get("output_router_logits"):
        words = "the run added a loss for balanced experts (output_router_logits); the steps here do without it"
        yield Unseen("router-loss", words)
    loss = settings.get("loss_type")
    if isinstance(loss, str) and loss != "ForCausalLM":
        words = f"the model's settings name a loss function, {ascii(loss)[:60]}; the steps here use cross-entropy"
        yield Unseen("own-loss", words)


def _in_trainer(folder: Path, model: Any) -> Iterator[Unseen]:
    yield from _one_token_more(folder, model)
    arguments = read_trainer_arguments(folder)
    if arguments is None:
        state = "cannot be read without executing it" if (folder / FILE).exists() else "is not beside the checkpoint"
        words = f"{FILE} {state}: label smoothing, NEFTune noise or a loss function of the run's own would not be seen"
        yield Unseen("no-training-arguments", words)
        return
    if smoothing := arguments.number("label_smoothing_factor"):
        words = f"the run smoothed its labels (label_smoothing_factor {smoothing:g}); the steps here do not"
        yield Unseen("label-smoothing", words)
    if alpha := arguments.number("neftune_noise_alpha"):
        words = f"the run added noise to embeddings (neftune_noise_alpha {alpha:g}); the steps here do not"
        yield Unseen("neftune", words)
    if arguments.class_name != PLAIN:
        words = f"the run's trainer was another than Trainer ({ascii(arguments.class_name)[1:-1][:80]})"
        yield Unseen("own-loss", f"{words} and may have a loss function of its own; the steps here use cross-entropy")
    else:
        words = "a loss function given to Trainer (compute_loss_func, a subclass) leaves no trace in a checkpoint"
        yield Unseen("own-loss-unknown", f"{words}; the steps here use cross-entropy")


def _one_token_more(folder: Path, model: Any) -> Iterator[Unseen]:
    """Trainer divides the sum of losses by the number of labels; versions differ in whether the first one counts."""
    import transformers

    version = _version(folder) or transformers.__version__
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if numbers < ONE_MORE_SINCE or not _takes_count(model):
        return
    installed = version == transformers.__version__
    if installed and _counts_predictions(model):
        return
    does = "divided" if installed else "may have divided"
    words = (
        f"Trainer of transformers {version} {does} this model's loss by one token more for each sequence: with T "
        "predictions, gradients of the run were T / (T + 1) times those here before clipping"
    )
    yield Unseen("one-token-more", words)


def _version(folder: Path) -> str:
    """The version of transformers that wrote the settings, "" where they do not say."""
    try:
        version = read_json(folder / "config.json").get("transformers_version")
    except InputError:
        return ""
    return version if isinstance(version, str) and version.replace(".", "").isalnum() and len(version) < 20 else ""


def _takes_count(model: Any) -> bool:
    """Whether Trainer gives the model the number of labels to divide by, by its own rule."""
    if hasattr(model, "accepts_loss_kwargs"):
        return bool(model.accepts_loss_kwargs)
    parameters = inspect.signature(model.forward).parameters.values()
    return any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters)


def _counts_predictions(model: Any) -> bool:
    """Whether the installed Trainer leaves the first label, which is never predicted, out of the number."""
    from transformers import Trainer
    from transformers.loss.loss_utils import LOSS_MAPPING, ForCausalLMLoss

    counts = "_loss_shifts_labels" in inspect.getsource(Trainer)
    return counts and LOSS_MAPPING.get(getattr(model, "loss_type", None)) is ForCausalLMLoss
