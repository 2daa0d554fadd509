"""Load a checkpoint's model. Weights come from safetensors only; no code and no pickle of a checkpoint is executed."""

from typing import TYPE_CHECKING, Any

from zerosum.checkpoints._run import Checkpoint
from zerosum.errors import InputError, MissingExtra

if TYPE_CHECKING:
    import torch


def load_model(checkpoint: Checkpoint, device: str = "cpu", dtype: "torch.dtype | None" = None) -> Any:
    """The checkpoint's transformers causal LM in evaluation mode.

    dtype: of the weights; float32 by default, whatever they were saved in. Raises InputError where the folder does not
    hold a whole model.
    """
    try:
        import torch
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging
    except ImportError as missing:
        raise MissingExtra(missing.name or "torch", "lm") from missing
    logging.disable_progress_bar()  # one bar a checkpoint would bury our own
    try:
        model = AutoModelForCausalLM.from_pretrained(
            checkpoint.path,
            dtype=dtype or torch.float32,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except Exception as error:  # transformers and safetensors each raise their own kinds for a broken folder
        raise InputError(
            f"{checkpoint.path}: this model does not load: config.json or model.safetensors is damaged, missing or of "
            f"a kind that this transformers does not know ({type(error).__name__}). Copy the folder again, or delete "
            "its run and train it again."
        ) from error
    return model.eval().to(device)
