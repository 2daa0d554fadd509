"""Time to read a long log of each format: python benchmarks/read_curves.py

Writes a log of each format, reads it three times and prints the shortest time.
"""

import importlib.util
import json
import math
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from zerosum.curves import read_curve

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "curves"))
from written import event_file, history, log_file


def csv_rows(n: int) -> bytes:
    return b"step,loss\n" + b"".join(b"%d,%.6f\n" % (s, 2 + 1 / (s + 1)) for s in range(n))


def json_lines(n: int) -> bytes:
    return b"".join(b'{"step": %d, "loss": %.6f, "lr": 0.001}\n' % (s, 2 + 1 / (s + 1)) for s in range(n))


def trainer_state(n: int) -> bytes:
    rows = [{"epoch": 0.1, "learning_rate": 1e-3, "loss": 2 + 1 / (s + 1), "step": s} for s in range(n)]
    return json.dumps({"global_step": n, "log_history": rows}, indent=2).encode()


def tensorboard(n: int) -> bytes:
    return event_file([(s, {"train/loss": 2 + 1 / (s + 1)}) for s in range(n)])


def wandb(n: int) -> bytes:
    other_columns = {f"grad/layer{k}": 0.5 for k in range(10)}
    return log_file([history({"_step": s, "train/loss": 2 + 1 / (s + 1)} | other_columns) for s in range(n)])


def nanogpt(n: int) -> bytes:
    return b"".join(b"iter %d: loss %.4f, time 123.45ms, mfu 40.12%%\n" % (s, 2 + 1 / (s + 1)) for s in range(n))


def megatron(n: int) -> bytes:
    values = {str(s): 2 + 1 / (s + 1) for s in range(1, n + 1)}
    return json.dumps({"lm loss": {"start_step": 1, "end_step": n, "step_interval": 1, "values": values}}).encode()


def parquet(n: int) -> bytes:
    import io

    import pandas as pd

    buffer = io.BytesIO()
    step = np.arange(n)
    pd.DataFrame({"step": step, "loss": 2 + 1 / (step + 1)}).to_parquet(buffer)
    return buffer.getvalue()


CASES = [  # format, name of the file, function that writes it, rows
    ("CSV", "a.csv", csv_rows, 1_000_000),
    ("JSON lines", "a.jsonl", json_lines, 200_000),
    ("trainer_state.json", "trainer_state.json", trainer_state, 100_000),
    ("TensorBoard", "events.out.tfevents.1.host", tensorboard, 20_000),
    ("W&B file, 12 columns", "run-a.wandb", wandb, 5_000),
    ("nanoGPT log", "log.txt", nanogpt, 200_000),
    ("Megatron JSON", "golden.json", megatron, 200_000),
    ("Parquet", "a.parquet", parquet, 1_000_000),
]


def main() -> None:
    print(f"{'format':<22} {'rows':>9} {'MB':>6} {'seconds':>8} {'rows/s':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for label, file_name, write, n_rows in CASES:
            if write is parquet and importlib.util.find_spec("pyarrow") is None:
                print(f"{label:<22} pyarrow is not installed")
                continue
            path = Path(folder) / file_name
            path.write_bytes(write(n_rows))
            shortest = math.inf
            for _ in range(3):
                start = time.perf_counter()
                n_read = len(read_curve(path))
                shortest = min(shortest, time.perf_counter() - start)
                if n_read != n_rows:
                    sys.exit(f"{label}: {n_read} of {n_rows} rows read")
            megabytes = path.stat().st_size / 1e6
            print(f"{label:<22} {n_rows:>9,} {megabytes:>6.1f} {shortest:>8.3f} {n_rows / shortest:>11,.0f}")


if __name__ == "__main__":
    main()
