"""What each preset of the live monitor costs: training with and without it, in turn. Writes benchmarks/monitor.md.

    OMP_NUM_THREADS=1 python benchmarks/monitor.py

CPU time of the process is compared, which other work on the machine disturbs less than the clock. The monitor itself
looks at the clock.
"""

import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import zerosum
from zerosum.atomic import write_text
from zerosum.monitor.cost import PRESETS

STEPS, ROUNDS = 2048, 3
VOCABULARY, LENGTH, ROWS, PROBE_ROWS = 256, 64, 8, 32
OUT = Path(__file__).with_suffix(".md")


def train(preset: str | None, steps: int = STEPS) -> tuple[float, list[tuple[int, dict[str, float]]]]:
    """Seconds of CPU time of one run, and what the monitor logged."""
    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}
    model: Any = transformers.LlamaForCausalLM(transformers.LlamaConfig(vocab_size=VOCABULARY, **sizes))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    rng = np.random.default_rng(0)
    data = rng.zipf(1.5, (1024, LENGTH + 1)) % VOCABULARY
    rows: list[tuple[int, dict[str, float]]] = []
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
    started = time.process_time()
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
    return time.process_time() - started, rows


def main() -> None:
    torch.set_num_threads(1)
    train("full", 128)  # imports and memory
    runs = [{preset: train(preset) for preset in (None, *PRESETS)} for _ in range(ROUNDS)]
    plain = statistics.median(run[None][0] for run in runs)
    lines = [
        "# Cost of the live monitor",
        "",
        f"Made by `python benchmarks/monitor.py`: {ROUNDS} rounds of {STEPS:,} updates, without and with each preset",
        f"in turn; schedule log2, batches of {ROWS} x {LENGTH} tokens, {PROBE_ROWS} held-out sequences, one thread.",
        f"CPU time, median of the pairs; {1000 * plain / STEPS:.2g} ms an update. Load of the machine at the end:",
        f"{os.getloadavg()[1]:.2g} on {os.cpu_count()} cores.",
        "",
        "| preset | limit | CPU time added, median | smallest to largest | `zerosum/cost` at the end, median "
        "| largest logged | steps measured, median | in the last round |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for preset, limit in PRESETS.items():
        added = sorted(run[preset][0] / run[None][0] - 1 for run in runs)
        logged = [run[preset][1] for run in runs]
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
