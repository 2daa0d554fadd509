"""`token_losses` compared with plain logits and cross-entropy, at V = 50,304: python benchmarks/token_losses.py

One thread. One run times both methods in turn, so that the ratio holds when the speed of the machine drifts. Times are
CPU times, so that other programs do not count; the results are medians of the turns, and of their ratios. Peak memory
is measured in a separate process per method: the resident memory while it runs, minus the resident memory after the
model was loaded and had run once on a few tokens. Linux only.
"""

import argparse
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time, sleep
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from zerosum.losses import token_losses

VOCABULARY = 50_304
Method = Callable[[Any, np.ndarray, int], np.ndarray]


def model_of(hidden: int, layers: int, length: int) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=hidden // 64,
        intermediate_size=3 * hidden,
        max_position_embeddings=length,
    )
    return LlamaForCausalLM(config).eval()


def plain(model: Any, ids: np.ndarray, tokens_per_batch: int) -> np.ndarray:
    rows = max(1, tokens_per_batch // (ids.shape[1] - 1))
    losses = []
    with torch.inference_mode():
        for start in range(0, len(ids), rows):
            batch = torch.as_tensor(ids[start : start + rows])
            logits = model(batch[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten(), reduction="none")
            losses.append(loss.view(len(batch), -1).numpy())
    return np.concatenate(losses)


def with_zerosum(model: Any, ids: np.ndarray, tokens_per_batch: int) -> np.ndarray:
    return token_losses(model, ids, tokens_per_batch=tokens_per_batch)


METHODS: dict[str, Method] = {"plain": plain, "zerosum": with_zerosum}


def resident() -> int:
    """Resident memory of this process in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1_024


def peak_memory(method: str, shape: tuple[int, int, int], n_sequences: int, answer: Any) -> None:
    """Put the extra bytes that a method needs at its peak into the queue `answer`; to be run in a separate process."""
    torch.set_num_threads(1)
    hidden, layers, length = shape
    model, ids = model_of(hidden, layers, length), tokens_of(n_sequences, length)
    plain(model, ids[:1, :9], 8)
    before, peak, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, resident())
            sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    METHODS[method](model, ids, n_sequences * length)
    done.set()
    watcher.join()
    answer.put(peak - before)


def tokens_of(n_sequences: int, length: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, VOCABULARY, (n_sequences, length + 1))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--turns", type=int, default=5)
    options.add_argument("--sequences", type=int, default=4)
    options.add_argument("--length", type=int, default=512)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    print("| hidden x layers | tokens/s plain | tokens/s zerosum | ratio | extra MB plain | extra MB zerosum | ratio |")
    print("|---|---|---|---|---|---|---|")
    processes = multiprocessing.get_context("spawn")  # a forked process would share this process's memory
    for hidden, layers in ((256, 4), (512, 8)):
        shape = (hidden, layers, arguments.length)
        model, ids = model_of(*shape), tokens_of(arguments.sequences, arguments.length)
        times: dict[str, list[float]] = {name: [] for name in METHODS}
        losses = {name: method(model, ids, ids.size) for name, method in METHODS.items()}  # warm-up
        np.testing.assert_allclose(losses["zerosum"], losses["plain"], atol=1e-4)
        for turn in range(arguments.turns):
            for name in list(METHODS)[:: 1 if turn % 2 else -1]:
                start = process_time()
                METHODS[name](model, ids, ids.size)
                times[name].append(process_time() - start)
        n_tokens = arguments.sequences * arguments.length
        speed = {name: n_tokens / median(times[name]) for name in METHODS}
        ratio = median(
            plain_time / our_time for plain_time, our_time in zip(times["plain"], times["zerosum"], strict=True)
        )
        extra = {}
        for name in METHODS:
            answer = processes.SimpleQueue()
            process = processes.Process(target=peak_memory, args=(name, shape, arguments.sequences, answer))
            process.start()
            extra[name] = answer.get() / 1e6
            process.join()
        print(
            f"| {hidden} x {layers} | {speed['plain']:,.0f} | {speed['zerosum']:,.0f} | {ratio:.2f} "
            f"| {extra['plain']:,.0f} | {extra['zerosum']:,.0f} | {extra['zerosum'] / extra['plain']:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
