"""Loads the model of a checkpoint. Code and pickles in a checkpoint are not executed."""

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
    """Load a checkpoint as a transformers causal language model in evaluation mode, so without dropout.

    checkpoint: a `Checkpoint` of a run, or a path. dtype: of the loaded weights, whatever the files hold.
    trust_remote_code: run Python code in the folder; only for folders that you trust as you trust a program.

    Raises InputError where a file is missing or truncated, or the weights are quantised or of an unknown architecture.
    """
    try:
        import torch
        import transformers  # noqa: F401 - imported here, so that the error names the extra to install
    except ImportError as missing:
        raise MissingExtra(missing.name or "torch", "lm") from missing
    if isinstance(dtype, str) and dtype not in DTYPES:
        raise InputError(f"{dtype}: not a dtype for weights. Choose one of {', '.join(DTYPES)}.")
    weight_dtype: torch.dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype
    path = checkpoint.path if isinstance(checkpoint, Checkpoint) else Path(checkpoint)
    if not path.exists():
        raise InputError(f"{path}: does not exist. Give a checkpoint, or use open_run for a model on the hub.")
    kind = kind_of(path)
    if kind is None:
        raise not_a_checkpoint(path)
    kind.weights(path)
    try:
        return kind.load(path, weight_dtype, trust_remote_code).eval().to(device)
    except RuntimeError as error:  # what torch raises for a device that does not exist or is full
        cause = str(error).partition("\n")[0]
        raise InputError(f"{path}: {device} cannot hold the model ({cause[:160]}). Choose another device.") from error
