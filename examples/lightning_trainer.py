"""Watch Lightning: python examples/lightning_trainer.py, and meanwhile zerosum watch runs/lightning_trainer.

Trains a small model on the bytes of some modules of Python's standard library; one minute on a laptop.
"""

import argparse
import inspect
import textwrap

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from transformers import LlamaConfig, LlamaForCausalLM

from zerosum.monitor.lightning import ZerosumCallback

LENGTH = 64


def windows(*modules) -> torch.Tensor:
    """The bytes of the modules' source as rows of 65 token ids."""
    text = "".join(map(inspect.getsource, modules)).encode()
    return torch.tensor(list(text)).unfold(0, LENGTH + 1, LENGTH)


class Module(LightningModule):
    """The monitor finds the language model under the name `model`."""

    def __init__(self) -> None:
        super().__init__()
        sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
        self.model = LlamaForCausalLM(LlamaConfig(vocab_size=256, **sizes))

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        loss = self.model(input_ids=batch, labels=batch).loss
        self.log("train/loss", loss)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=2e-3)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", default="runs/lightning_trainer")
    given = parser.parse_args()
    batches = torch.utils.data.DataLoader(windows(argparse, inspect), batch_size=16, shuffle=True)
    # cost="full": the steps of so small a model are shorter than any measurement. Leave it out for yours.
    watching = ZerosumCallback(windows(textwrap)[:100], cost="full")
    logger = TensorBoardLogger(given.out, name="", version="")
    trainer = Trainer(max_steps=given.steps, logger=logger, log_every_n_steps=1, callbacks=[watching])
    trainer.fit(Module(), batches)
    print(watching.monitor.latest)


if __name__ == "__main__":
    main()
