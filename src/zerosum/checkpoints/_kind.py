"""What a kind of checkpoint has to offer to be found and loaded."""

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

_OTHER_MODEL = re.compile(r"Unrecognized configuration class <class '[\w.]*?(\w{1,80})'>", re.ASCII)
SPARE = 10**7  # weights that may be missing before the model is not even built


@dataclass(frozen=True)
class Progress:
    """What a checkpoint's own files say of how far training was; None where they do not."""

    step: int | None = None
    tokens_seen: int | None = None


def says_nothing(path: Path) -> Progress:
    """For kinds whose files do not tell how far training was."""
    return Progress()


@dataclass(frozen=True)
class Kind:
    """One way in which checkpoints are written.

    matches: whether the file or folder looks like it, by content; quick, without torch, and it must not raise.
    weights: where its weights are; raises InputError where a file of them is missing.
    load: path, dtype, trust_remote_code -> transformers model; raises InputError where it cannot.
    progress: what its files say of step and tokens. rank: lower is asked first.
    """

    name: str
    rank: int
    matches: Callable[[Path], bool]
    weights: Callable[[Path], Weights]
    load: Callable[[Path, "torch.dtype", bool], Any]
    progress: Callable[[Path], Progress] = says_nothing


def build(
    path: Path, model_class: Any, config: Any, state: dict[str, Any], dtype: "torch.dtype", constant: frozenset[str]
) -> Any:
    """A model of a class of transformers with exactly these weights.

    constant: names in `state` that the source does not have as parameters (a norm without weight is one whose weight
    is 1): they are in the model but not trainable. Raises InputError where weights are missing, left over or of
    another shape than the settings say.
    """
    require_enough(path, config, [list(tensor.shape) for tensor in state.values()], lambda: model_class(config))
    with loading(path):
        model, report = model_class.from_pretrained(
            None, config=config, state_dict=state, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True
        )
    require_all(path, report)
    if left := sorted(report["unexpected_keys"]):
        raise InputError(
            f"{path}: its settings leave {len(left)} of its weights without a place ({str(left[0])[:80]!a}, ...), so "
            "it is another architecture. Convert it to a Hugging Face folder with the program that wrote it."
        )
    for name, parameter in model.named_parameters():
        if name in constant:
            parameter.requires_grad_(False)
    return model


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """Quiet transformers; whatever it raises becomes an InputError of one line."""
    try:
        from transformers.utils import logging
    except ImportError as missing:
        raise MissingExtra(missing.name or "transformers", "lm") from missing
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()  # one bar a checkpoint would bury our own
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # transformers and safetensors each raise their own kinds for a broken folder
        cause = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
        if other := _OTHER_MODEL.search(cause):
            raise InputError(
                f"{path}: a {other[1]}, of which transformers has no causal language model. Give a checkpoint of a "
                "model that predicts the next token."
            ) from error
        raise InputError(
            f"{path}: this model does not load: its settings or weights are damaged, missing or of a kind that this "
            f"transformers does not know ({type(error).__name__}: {ascii(cause.strip()[:160])[1:-1]}). Copy it again."
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def require_layers(path: Path, n_layers: Any, n_tensors: int) -> None:
    """Raise InputError where there are more layers than tensors, before anything is made for each of them."""
    if isinstance(n_layers, int) and n_layers > n_tensors:
        raise InputError(
            f"{path}: its settings ask for {n_layers} layers, its files hold {n_tensors} tensors. Copy both again."
        )


def require_enough(path: Path, config: Any, shapes: Sequence[Sequence[int]], make: Callable[[], Any]) -> None:
    """Raise InputError where a model is far larger than its weights, before memory for the difference is taken.

    make: builds the model; here without memory. Smaller differences are left to `require_all`, which names them.
    """
    import torch

    require_layers(path, getattr(config.get_text_config(), "num_hidden_layers", None), len(shapes))
    n_numbers = sum(math.prod(shape) for shape in shapes)
    with loading(path), torch.device("meta"):
        asked = sum(parameter.numel() for parameter in make().parameters())
    if asked > 2 * n_numbers + SPARE:
        raise InputError(
            f"{path}: its settings ask for {asked:,} weights, its files hold {n_numbers:,}. Copy both again."
        )


def require_all(path: Path, report: dict[str, Any]) -> None:
    """Raise InputError where transformers would have made up weights that the checkpoint lacks."""
    missing = sorted([*map(str, report["missing_keys"]), *(str(name) for name, *_ in report["mismatched_keys"])])
    if missing:
        raise InputError(
            f"{path}: {len(missing)} of the model's weights are missing or of another shape ({missing[0][:80]!a}"
            f"{', ...' if len(missing) > 1 else ''}). Copy the checkpoint again."
        )
