"""Load a checkpoint's model. No code and no pickle of a checkpoint is executed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.checkpoints._run import Checkpoint, not_a_checkpoint
from zerosum.checkpoints.kinds import kind_of
from zerosum.errors import InputError, MissingExtra

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "bfloat16", "float16", "float64")


def load_model(
    checkpoint: Checkpoint | str | Path,
    *,
    dtype: "str | torch.dtype" = "float32",
    device: "str | torch.device" = "cpu",
    trust_remote_code: bool = False,
) -> Any:
    """The checkpoint's transformers causal LM in evaluation mode: nothing is dropped out.

    checkpoint: one of a run, or the path of any. dtype: of the weights, whatever they were saved in. trust_remote_code:
    run Python code that the folder brings along; only for folders you trust like a program.

    Raises InputError where a file is missing, truncated, quantised or of an architecture without a matching class.
    """
    try:
        import torch
        import transformers  # noqa: F401 - named here, so that the message names the extra
    except ImportError as missing:
        raise MissingExtra(missing.name or "torch", "lm") from missing
    if isinstance(dtype, str) and dtype not in DTYPES:
        raise InputError(f"{dtype}: not a type of weights. Choose one of {', '.join(DTYPES)}.")
    of_weights: torch.dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    path = checkpoint.path if isinstance(checkpoint, Checkpoint) else Path(checkpoint)
    if not path.exists():
        raise InputError(f"{path}: not there. Give a checkpoint, or use open_run for a model on the hub.")
    kind = kind_of(path)
    if kind is None:
        raise not_a_checkpoint(path)
    kind.weights(path)
    try:
        return kind.load(path, of_weights, trust_remote_code).eval().to(device)
    except RuntimeError as error:  # torch's word for a device that is not there or is full
        cause = str(error).partition("\n")[0]
        raise InputError(f"{path}: {device} cannot hold the model ({cause[:160]}). Choose another device.") from error
