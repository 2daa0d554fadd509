"""Speed and memory of training against a bare loop and Hugging Face Trainer: python benchmarks/training.py

The same work in all: model and batches of the recipe tiny_1m, AdamW, clipping, a constant rate, and each step's loss
written to a log. One thread. In front of each of its steps, a way of training waits for a step of the bare loop, in the
same process, so that both meet the same speed of the machine; the speed is the median over steps of the ratio of their
processor times. The bare loop beside itself shows how far that holds. Memory is the largest resident memory of a
process that trains in one way alone. Then, for each optimizer, the time of its step on the same model.
"""

import argparse
import json
import logging
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from zerosum.recipes import named_recipe
from zerosum.training import Recipe, batch, train
from zerosum.training.changes import with_changes
from zerosum.training.models import build_model, count_parameters
from zerosum.training.optimizers import OPTIMIZERS

WARM_UP = 8  # steps whose time does not count
Turn = Callable[[], None]
"""Called where a step begins."""


def recipe_of(steps: int) -> Recipe:
    """The recipe of this many steps, with a checkpoint to resume from at the end alone."""
    changes = {"steps": steps, "schedule.warmup_steps": 0, "resume_every": 10**6}
    return with_changes(named_recipe("tiny_1m"), changes)


def bare_steps(recipe: Recipe, folder: Path) -> Iterator[float]:
    """A loop as one writes it by hand: the loss of each step."""
    torch.manual_seed(recipe.seed)
    model, settings = build_model(recipe).train(), recipe.optimizer
    matrices, vectors = ([p for p in model.parameters() if (p.ndim >= 2) == wanted] for wanted in (True, False))
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps, fused=True)
    with (folder / "log.jsonl").open("w", buffering=1) as log:
        for step in range(recipe.steps):
            for group in optimizer.param_groups:
                group["lr"] = recipe.learning_rate(step + 1)
            tokens = torch.from_numpy(batch(recipe, step).ids)
            logits = model(tokens[:, :-1], use_cache=False).logits
            loss = functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            optimizer.zero_grad()
            log.write(json.dumps({"step": step + 1, "loss": loss.item(), "grad_norm": norm.item()}) + "\n")
            yield loss.item()


def bare(recipe: Recipe, folder: Path, turn: Turn) -> list[float]:
    steps, losses = bare_steps(recipe, folder), []
    for _ in range(recipe.steps):
        turn()
        losses.append(next(steps))
    return losses


def ours(recipe: Recipe, folder: Path, turn: Turn) -> list[float]:
    from zerosum.training import loop

    def batch_in_turn(*given: Any) -> Any:
        turn()
        return batch(*given)

    loop.batch = batch_in_turn  # the first thing that a step needs
    train(recipe, folder / "run")
    rows = (folder / "run" / "metrics.jsonl").read_text().splitlines()
    return [json.loads(row)["loss"] for row in rows]


def trainer(recipe: Recipe, folder: Path, turn: Turn) -> list[float]:
    """Hugging Face Trainer, logging every step, with neither bar nor tracker."""
    from torch.utils.data import Dataset, SequentialSampler
    from transformers import PrinterCallback, Trainer, TrainingArguments
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    logging.disable(logging.WARNING)

    class Windows(Dataset):
        """Sequences in the order of the recipe's batches. A batch is read, and its turn taken, with its first row."""

        def __len__(self) -> int:
            return recipe.steps * recipe.batch.sequences

        def __getitem__(self, place: int) -> dict[str, Any]:
            step, row = divmod(place, recipe.batch.sequences)
            if row == 0:
                turn()
                self.ids = torch.from_numpy(batch(recipe, step).ids)
            return {"input_ids": self.ids[row, :-1], "labels": self.ids[row, 1:], "shift_labels": self.ids[row, 1:]}

    class InOrder(Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    torch.manual_seed(recipe.seed)
    settings = recipe.optimizer
    arguments = TrainingArguments(
        output_dir=str(folder), per_device_train_batch_size=recipe.batch.sequences, max_steps=recipe.steps,
        learning_rate=settings.lr, adam_beta1=settings.betas[0], adam_beta2=settings.betas[1],
        adam_epsilon=settings.eps, weight_decay=settings.weight_decay, max_grad_norm=settings.clip,
        optim="adamw_torch_fused", lr_scheduler_type="constant", logging_steps=1, save_strategy="no", report_to=[],
        disable_tqdm=True, use_cpu=True, remove_unused_columns=False, dataloader_num_workers=0, seed=recipe.seed,
    )  # fmt: skip
    run = InOrder(model=build_model(recipe), args=arguments, train_dataset=Windows())
    run.remove_callback(PrinterCallback)
    run.train()
    return [row["loss"] for row in run.state.log_history if "loss" in row]


WAYS: dict[str, Callable[[Recipe, Path, Turn], list[float]]] = {
    "bare PyTorch loop": bare,
    "zerosum": ours,
    "Hugging Face Trainer": trainer,
}


class Beside:
    """A step of the bare loop in front of each step of another way, and the processor times of both."""

    def __init__(self, recipe: Recipe, folder: Path) -> None:
        self._steps = bare_steps(recipe, folder)
        self._began: float | None = None
        self.bare: list[float] = []
        self.other: list[float] = []

    def __call__(self) -> None:
        began = process_time()
        if self._began is not None:
            self.other.append(began - self._began)
        next(self._steps)
        self._began = process_time()
        self.bare.append(self._began - began)


def one_run(way: str, steps: int, alone: bool) -> dict[str, Any]:
    """Times after the warm-up in ms, peak memory in MiB, and losses: run in a process of its own."""
    torch.set_num_threads(1)
    recipe = recipe_of(steps)
    with TemporaryDirectory() as folder, TemporaryDirectory() as of_bare:
        beside = Beside(recipe, Path(of_bare))
        losses = WAYS[way](recipe, Path(folder), (lambda: None) if alone else beside)
    bare_times, times = (1_000 * np.array(values[WARM_UP:]) for values in (beside.bare, beside.other))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return {"bare": bare_times.tolist(), "other": times.tolist(), "peak": peak, "losses": losses}


def in_process(way: str, steps: int, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", __file__, "--way", way, "--steps", str(steps), *options]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this file
    result: dict[str, Any] = json.loads(answer.stdout.splitlines()[-1])
    return result


def compare(steps: int) -> None:
    recipe = recipe_of(steps)
    size, tokens = count_parameters(recipe.model), recipe.batch.tokens
    print(f"{size:,} parameters, {tokens:,} tokens a step, {steps - WARM_UP} steps beside the bare loop\n")
    print("| way | ms per step | tokens/s | speed, bare loop = 1 | peak memory, MiB | largest difference of a loss |")
    print("|---|---|---|---|---|---|")
    expected: list[float] = []
    for way in WAYS:
        result, memory = in_process(way, steps), in_process(way, 2 * WARM_UP, "--alone")
        expected = expected or result["losses"]
        pairs = list(zip(result["bare"], result["other"], strict=False))
        ms, ratio = median(mine for _, mine in pairs), median(plain / mine for plain, mine in pairs)
        gap = max(abs(a - b) for a, b in zip(expected, result["losses"], strict=True))
        speed = f"{1_000 * tokens / ms:,.0f} | {ratio:.3f}"
        print(f"| {way} | {ms:.1f} | {speed} | {memory['peak']:,.0f} | {gap:.1e} |", flush=True)


def optimizers(names: Sequence[str], turns: int) -> None:
    """The step of each optimizer, and its ratio to that of AdamW, which takes a turn beside each."""
    model = build_model(recipe_of(1))
    draw = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=draw)
    made = {name: OPTIMIZERS.settings(name)(lr=1e-6).build(model) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(turns + 2):
        for name, optimizer in made.items():
            began = process_time()
            optimizer.step()
            if turn >= 2:
                times[name].append(1_000 * (process_time() - began))
    print("\n| optimizer | ms per step of the optimizer | AdamW = 1 |\n|---|---|---|")
    for name in names:
        print(f"| {name} | {median(times[name]):.2f} | {median(times[name]) / median(times['adamw']):.2f} |")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--steps", type=int, default=108)
    options.add_argument("--way", choices=list(WAYS), help="one run, as JSON")
    options.add_argument("--alone", action="store_true", help="without the bare loop beside it")
    chosen = options.parse_args()
    if chosen.way:
        print(json.dumps(one_run(chosen.way, chosen.steps, chosen.alone)))
        return
    torch.set_num_threads(1)
    compare(chosen.steps)
    optimizers(OPTIMIZERS.names(), 20)


if __name__ == "__main__":
    main()
