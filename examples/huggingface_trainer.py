"""Watch Hugging Face's Trainer: python examples/huggingface_trainer.py.

Meanwhile: zerosum watch runs/huggingface_trainer/runs, the folder of its event files.

Trains a small model on the bytes of some modules of Python's standard library; one minute on a laptop.
"""

import argparse
import inspect
import textwrap

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from zerosum.monitor.huggingface import ZerosumCallback

LENGTH = 64


def windows(*modules) -> torch.Tensor:
    """The bytes of the modules' source as rows of 65 token ids."""
    text = "".join(map(inspect.getsource, modules)).encode()
    return torch.tensor(list(text)).unfold(0, LENGTH + 1, LENGTH)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", default="runs/huggingface_trainer")
    given = parser.parse_args()

    config = LlamaConfig(
        vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2
    )
    arguments = TrainingArguments(
        given.out,
        max_steps=given.steps,
        per_device_train_batch_size=16,
        learning_rate=2e-3,
        lr_scheduler_type="constant",
        logging_steps=1,
        save_steps=given.steps,
        report_to=["tensorboard"],
        use_cpu=not torch.cuda.is_available(),
    )
    train = [{"input_ids": row, "labels": row} for row in windows(argparse, inspect)]
    held_out = windows(textwrap)[:100]
    # cost="full": the steps of so small a model are shorter than any measurement. Leave it out for yours.
    watching = ZerosumCallback(held_out, cost="full")
    Trainer(LlamaForCausalLM(config), arguments, train_dataset=train, callbacks=[watching]).train()
    print(watching.monitor.latest)


if __name__ == "__main__":
    main()
