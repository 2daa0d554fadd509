"""Watch a loop of your own: python examples/plain_loop.py, and meanwhile zerosum watch runs/plain_loop.

Trains a small model on the bytes of some modules of Python's standard library; one minute on a laptop.
"""

import argparse
import inspect
import textwrap

import torch
from torch.utils.tensorboard import SummaryWriter
from transformers import LlamaConfig, LlamaForCausalLM

import zerosum

LENGTH, BATCH = 64, 16


def windows(*modules) -> torch.Tensor:
    """The bytes of the modules' source as rows of 65 token ids."""
    text = "".join(map(inspect.getsource, modules)).encode()
    return torch.tensor(list(text)).unfold(0, LENGTH + 1, LENGTH)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", default="runs/plain_loop")
    given = parser.parse_args()

    torch.manual_seed(0)
    train, held_out = windows(argparse, inspect), windows(textwrap)[:100]
    config = LlamaConfig(
        vocab_size=256, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=2
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    writer = SummaryWriter(given.out)

    # cost="full": the steps of so small a model are shorter than any measurement. Leave it out for yours.
    monitor = zerosum.Monitor(model, held_out, log=writer, optimizer=optimizer, total_steps=given.steps, cost="full")
    for step in range(given.steps):
        batch = train[torch.randint(len(train), (BATCH,))]
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        with monitor.step(step, loss=loss):
            optimizer.step()
        optimizer.zero_grad()
        writer.add_scalar("train/loss", loss.item(), step)
    writer.close()
    print(monitor.latest)


if __name__ == "__main__":
    main()
