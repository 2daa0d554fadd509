"""The functions that each kind of checkpoint provides, and checks of a model that all kinds share."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.checkpoints.weights import Weights
from zerosum.errors import InputError, MissingExtra

if TYPE_CHECKING:
    import torch

_UNSUPPORTED_CONFIG = re.compile(r"Unrecognized configuration class <class '[\w.]*?(\w{1,80})'>", re.ASCII)
UNUSED = "unused_weights"  # attribute of a loaded model: names of weights in its files that it has no place for
# Constants, not parameters: some versions of transformers save them and others do not.
CONSTANTS = (".inv_freq", ".attn.bias", ".attention.bias", ".masked_bias")
SPARE = 10**7  # parameters that may always be missing from the files; `require_all_weights` then names the tensors


@dataclass(frozen=True)
class Progress:
    """How far training was, as far as a checkpoint's own files state it; None where they do not."""

    step: int | None = None
    tokens_seen: int | None = None


def unknown_progress(path: Path) -> Progress:
    """Progress for kinds whose files do not state how far training was."""
    return Progress()


def unknown_settings(path: Path) -> dict[str, Any]:
    """Settings for kinds whose checkpoints do not state them."""
    return {}


@dataclass(frozen=True)
class Kind:
    """A kind of checkpoint: a file layout, and the functions that read it.

    matches: whether a file or folder is of this kind, judged by content; fast, without torch, and never raises.
    weights: the files with the weights; raises InputError where a file is missing.
    load: path, dtype, trust_remote_code -> transformers model; raises InputError where the model cannot be loaded.
    progress: step and tokens seen, as its files state them. rank: kinds of lower rank are tried first. settings: of the
    model, as written, to compare checkpoints.
    """

    name: str
    rank: int
    matches: Callable[[Path], bool]
    weights: Callable[[Path], Weights]
    load: Callable[[Path, "torch.dtype", bool], Any]
    progress: Callable[[Path], Progress] = unknown_progress
    settings: Callable[[Path], dict[str, Any]] = unknown_settings


def build(
    path: Path, model_class: Any, config: Any, state: dict[str, Any], dtype: "torch.dtype", constant: frozenset[str]
) -> Any:
    """Build a model of a transformers class from exactly these weights.

    constant: names in `state` of tensors that are no parameters of the source (a norm without a weight is a norm whose
    weight is 1); in the model they are not trainable. Raises InputError where weights are missing, have no place in
    the model, or have another shape than the settings imply.
    """
    require_plausible_size(path, config, [list(tensor.shape) for tensor in state.values()], lambda: model_class(config))
    with loading(path):
        model, report = model_class.from_pretrained(
            None, config=config, state_dict=state, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
        )
    require_all_weights(path, report)
    if unused := sorted(report["unexpected_keys"]):
        raise InputError(
            f"{path}: {len(unused)} of its weights have no place in the model that its settings describe "
            f"({str(unused[0])[:80]!a}, ...), so it is another architecture. Convert it to a Hugging Face folder with "
            "the program that wrote it."
        )
    for name, parameter in model.named_parameters():
        if name in constant:
            parameter.requires_grad_(False)
    return model


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Silence transformers, and turn every error it raises into an InputError of one line."""
    try:
        from transformers.utils import logging
    except ImportError as missing:
        raise MissingExtra(missing.name or "transformers", "lm") from missing
    verbosity, has_progress_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()  # a progress bar for each checkpoint would hide our own
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # transformers and safetensors raise errors of many types for a broken folder
        cause = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if unsupported := _UNSUPPORTED_CONFIG.search(cause):
            raise InputError(
                f"{path}: has the settings of a {unsupported[1]}, for which transformers has no causal language model. "
                "Give a checkpoint of a model that predicts the next token."
            ) from error
        raise InputError(
            f"{path}: the model does not load: its settings or weights are damaged, missing, or unknown to the "
            f"installed transformers ({type(error).__name__}: {ascii(cause.strip()[:160])[1:-1]}). Copy it again."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if has_progress_bar:
            logging.enable_progress_bar()


def require_layers(path: Path, n_layers: Any, n_tensors: int) -> None:
    """Raise InputError where the settings ask for more layers than there are tensors, before any layer is built."""
    if isinstance(n_layers, int) and n_layers > n_tensors:
        raise InputError(
            f"{path}: its settings ask for {n_layers} layers, its files hold {n_tensors} tensors. Copy both again."
        )


def require_plausible_size(path: Path, config: Any, shapes: Sequence[Sequence[int]], make: Callable[[], Any]) -> None:
    """Raise InputError where the model would be far larger than its weight files, before memory for it is allocated.

    shapes: of the tensors in the files. make: builds the model; called here without allocating memory for parameters.
    Smaller differences are left to `require_all_weights`, which names the tensors.
    """
    import torch

    require_layers(path, getattr(config.get_text_config(), "num_hidden_layers", None), len(shapes))
    n_stored = sum(math.prod(shape) for shape in shapes)
    with loading(path), torch.device("meta"):
        n_parameters = sum(parameter.numel() for parameter in make().parameters())
    if n_parameters > 2 * n_stored + SPARE:
        raise InputError(
            f"{path}: its settings ask for {n_parameters:,} weights, its files hold {n_stored:,}. Copy both again."
        )


def require_all_weights(path: Path, report: dict[str, Any]) -> None:
    """Raise InputError where the checkpoint lacks weights, which transformers would have drawn at random."""
    missing = sorted([*map(str, report["missing_keys"]), *(str(name) for name, *_ in report["mismatched_keys"])])
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of the model's weights are missing or of another shape ({missing[0][:80]!a}"
            f"{', ...' if len(missing) > 1 else ''}). Copy the checkpoint again."
        )
