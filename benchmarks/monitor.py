"""What each preset of the live monitor costs: training with and without it, update by update in turn.

    OMP_NUM_THREADS=1 python benchmarks/monitor.py

Writes benchmarks/monitor.md. CPU time of the process is compared, which other work on the machine disturbs less than
the clock; and as the two take turns, a machine that changes its speed changes both. The monitor itself looks at the
clock, which stands still for it while the other of the two trains.
"""

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import zerosum
from zerosum.atomic import write_text
from zerosum.monitor import cost
from zerosum.monitor.cost import PRESETS

STEPS, ROUNDS = 2048, 2
VOCABULARY, LENGTH, ROWS, PROBE_ROWS = 256, 64, 8, 32
OUT = Path(__file__).with_suffix(".md")
Row = tuple[int, dict[str, float]]


class Clock:
    """The clock of the monitored training: it stands still while the other one trains."""

    elsewhere = 0.0

    def perf_counter(self) -> float:
        """Seconds."""
        return time.perf_counter() - self.elsewhere


def training(preset: str | None, rows: list[Row], steps: int) -> Iterator[None]:
    """A run that stops after each update. rows: receives what the monitor logs."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    model: Any = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=VOCABULARY, **sizes))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    rng = np.random.default_rng(0)
    data = rng.zipf(1.5, (1024, LENGTH + 1)) % VOCABULARY
    monitor = None
    if preset:
        monitor = zerosum.Monitor(
            model,
            data[:PROBE_ROWS],
            cost=preset,
            optimizer=optimizer,
            log=lambda values, step: rows.append((step, values)),
            tell=lambda message: None,
            total_steps=steps,
        )
    for step in range(steps):
        ids = torch.as_tensor(data[rng.integers(PROBE_ROWS, len(data), ROWS)])
        loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        if monitor:
            with monitor.step(step, loss=loss):
                optimizer.step()
        else:
            optimizer.step()
        optimizer.zero_grad()
        yield


def in_turn(preset: str, steps: int = STEPS) -> tuple[float, float, list[Row]]:
    """Seconds of CPU time of all updates without and with the monitor, and what it logged with its cost."""
    rows: list[Row] = []
    clock = Clock()
    vars(cost)["time"] = clock
    plain, watched = training(None, [], steps), training(preset, rows, steps)
    seconds = [0.0, 0.0]
    for _ in range(steps):
        began = time.perf_counter()
        seconds[0] += _cpu_of(plain)
        clock.elsewhere += time.perf_counter() - began
        seconds[1] += _cpu_of(watched)
    return seconds[0], seconds[1], [row for row in rows if "zerosum/cost" in row[1]]


def _cpu_of(run: Iterator[None]) -> float:
    began = time.process_time()
    next(run)
    return time.process_time() - began


def main() -> None:
    torch.set_num_threads(1)
    in_turn("full", 128)  # imports and memory
    runs = [{preset: in_turn(preset) for preset in PRESETS} for _ in range(ROUNDS)]
    plain = statistics.median(seconds for run in runs for seconds, _, _ in run.values())
    lines = [
        "# Cost of the live monitor",
        "",
        f"Made by `python benchmarks/monitor.py`: {ROUNDS} rounds of {STEPS:,} updates without and with each preset,",
        f"update by update in turn; schedule log2, batches of {ROWS} x {LENGTH} tokens, {PROBE_ROWS} held-out rows,",
        f"one thread. CPU time of the whole runs, median of the pairs; {1000 * plain / STEPS:.2g} ms an update.",
        f"Load of the machine at the end: {os.getloadavg()[1]:.2g} on {os.cpu_count()} cores.",
        "",
        "| preset | limit | CPU time added, median | smallest to largest | `zerosum/cost` at the end, median "
        "| largest logged | steps measured, median | in the last round |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for preset, limit in PRESETS.items():
        added = sorted(run[preset][1] / run[preset][0] - 1 for run in runs)
        logged = [run[preset][2] for run in runs]
        ends = statistics.median(rows[-1][1]["zerosum/cost"] if rows else 0.0 for rows in logged)
        first = 1 if preset == "full" else 0
        most = max((values["zerosum/cost"] for rows in logged for _, values in rows[first:]), default=0.0)
        cells = [
            preset,
            f"{limit:.0%}".replace("inf%", "none"),
            f"{statistics.median(added):.2%}",
            f"{added[0]:.2%} to {added[-1]:.2%}",
            f"{ends:.2%}",
            f"{most:.2%}",
            f"{statistics.median(map(len, logged)):g}",
            ", ".join(str(step) for step, _ in logged[-1]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines.append("")
    write_text(OUT, "\n".join(lines))


if __name__ == "__main__":
    main()
