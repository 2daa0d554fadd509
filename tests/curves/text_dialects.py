# ruff: noqa: E501 - lines as long as the scripts print them
"""Text logs in dialects that a generator makes: names, separators, prefixes, blocks, dicts, bars, validation, noise."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from written import put

from zerosum.curves import read_curve
from zerosum.errors import InputError

STEP = (
    "step",
    "Step",
    "iter",
    "iteration",
    "Iteration",
    "global_step",
    "num_updates",
    "steps",
    "completed step",
    "opt_step",
    "global step",
    "current_iter",
)
INNER = ("batch", "Batch")
LOSS = (
    "loss",
    "Loss",
    "train_loss",
    "Train loss",
    "training loss",
    "lm_loss",
    "lm loss",
    "train/loss",
    "loss/train",
    "TrainLoss",
    "train_nll",
    "ce_loss",
    "cross entropy",
)
LR = ("lr", "LR", "learning rate", "learning_rate", "Learning Rate")
TOKENS = ("tokens", "tokens_seen", "Trained Tokens", "consumed_tokens", "total tokens")
JOINS = (": ", "=", " ", ":", " = ", ":  ", " -> ", " => ", " ~ ")
GAPS = (", ", " | ", "\t", "; ", "  ")
PREFIXES = (
    "", "", "[rank0]: ", "INFO - ", "2024-03-01 12:00:05,123 INFO trainer.py:45 - ", "I0301 12:00:05.1234 99 train.py:7] ",
    "[2024-03-01 12:00:05] ", "2024-03-01 12:00:05.123 | INFO     | __main__:train:123 - ", "(worker pid=123) ",
    "\x1b[32m", "03/01/2024 12:00:05 [INFO|DP=0|PP=0] ", "train | ",
)  # fmt: skip
EXTRAS = (
    ("grad_norm", "1.23"), ("dt", "400.12ms"), ("tok/sec", "1,300,000"), ("mfu", "40.1%"), ("mem", "10.1 GB"),
    ("loss scale", "4096.0"), ("aux_loss", "0.0123"), ("time per iteration (ms)", "50.0"), ("eta", "1:02:03"),
    ("z_loss", "0.5"), ("moe aux loss", "0.02"), ("seq_len", "2048"), ("skipped", "0"), ("epoch time", "3.1s"),
)  # fmt: skip
NOISE = (
    "Saving checkpoint to out/step_{step}.pt",
    "number of parameters: 123.59M, of which 38.6M are embeddings",
    "UserWarning: this overload of step() is deprecated, 3 of 12 calls",
    "config: batch_size=32 max_steps=5000 eval_interval=500 loss_weight=0.5",
    "Loaded 1000 documents (5.2 MB) in 3.2s",
    "the loss should be about 10.82 at the start",
    "best loss so far is 3.2",
    "GPU 0: 40 GB, 300 W",
    "-----",
)
VALIDATION = (
    "step {step}: val loss {value}",
    "val | step {step} | loss {value}",
    "Validation: step {step}, loss {value}",
    "validation loss: {value}",
    "eval step: {step} loss: {value}",
    "{{'eval_loss': {value}, 'step': {step}}}",
    "Evaluating... step {step} eval/loss={value}",
    "test loss {value}, test accuracy 0.3",
    "[val] iteration {step} lm loss {value} ppl 20.1",
    "held-out: step {step} loss {value}",
    "step={step} split=val loss={value}",
    "Validation loss at step {step}: {value}",
)


@dataclass
class Dialect:
    """A log in one dialect, and the points it holds. text: the log. step, loss: [n] as printed."""

    text: str
    step: list[float]
    loss: list[float]
    options: dict[str, object] = field(default_factory=dict)


def make_log(seed: int) -> Dialect:
    """One random dialect."""
    rng = np.random.default_rng(seed)
    pick = lambda choices: choices[rng.integers(len(choices))]  # noqa: E731
    n, every = int(rng.integers(6, 40)), int(pick((1, 10, 50, 100, 250)))
    step = every * np.arange(1, n + 1) - pick((0, 0, 1))
    loss = 2 + 8 * (step + 1.0) ** -0.3 + rng.normal(0, 0.02, n)
    digits = int(pick((3, 4, 6)))
    losses = [f"{value:.{digits}e}" if pick((True, False, False)) else f"{value:.{digits}f}" for value in loss]
    style = pick(("line", "line", "line", *STYLES))
    out: list[str] = [pick(NOISE).format(step=0) for _ in range(rng.integers(0, 4))]
    rows = STYLES[style](rng, step, losses)
    validation = pick(VALIDATION) if pick((True, False)) else None
    for k, row in enumerate(rows):
        out += row
        if validation is not None and k % 5 == 4:
            out.append(validation.format(step=step[k], value=f"{loss[k] + 0.1:.4f}"))
        if rng.random() < 0.1:
            out.append(pick(NOISE).format(step=step[k]))
    end = "\r\n" if pick((True, False, False, False)) else "\n"
    options = {"style": style, "validation": validation}
    return Dialect(end.join(out) + end, step.astype(float).tolist(), list(map(float, losses)), options)


def _pick(rng, choices):
    return choices[rng.integers(len(choices))]


def _step_text(rng, step):
    kind = _pick(rng, ("plain", "plain", "plain", "padded", "of", "grouped", "underscores"))
    total = int(step[-1]) * 3
    return [
        {"plain": f"{s}", "padded": f"{s:06d}", "of": f"{s}/{total}", "grouped": f"{s:,}", "underscores": f"{s:_}"}[
            kind
        ]
        for s in step.tolist()
    ]


def _fields(rng, step, losses):
    """For each row its (name, value) pairs, in one random order; the names of step and loss."""
    names = (_pick(rng, STEP + INNER), _pick(rng, LOSS))
    columns = [[(names[0], text) for text in _step_text(rng, step)], [(names[1], text) for text in losses]]
    if rng.random() < 0.6:
        name, shape = _pick(rng, LR), _pick(rng, ("{:.2e}", "{:.6f}", "{:.3E}"))
        columns.append([(name, shape.format(3e-4 * (1 - s / (2 * step[-1])))) for s in step.tolist()])
    if rng.random() < 0.4:
        name, shape = _pick(rng, TOKENS), _pick(rng, ("{}", "{:,}", "M"))
        tokens = [s * 524_288 for s in step.tolist()]
        columns.append([(name, f"{t / 1e6:.2f}M" if shape == "M" else shape.format(t)) for t in tokens])
    for k in rng.choice(len(EXTRAS), rng.integers(0, 4), replace=False):
        columns.append([EXTRAS[k]] * len(losses))
    if rng.random() < 0.2:
        columns.append([("val loss", f"{float(text) + 0.1:.4f}") for text in losses])
    order = rng.permutation(len(columns))
    if rng.random() < 0.7:  # most begin with the step
        order = np.array([0, *(k for k in order if k != 0)])
    return [[columns[k][row] for k in order] for row in range(len(losses))]


def _lines(rng, step, losses):
    join, gap, prefix = _pick(rng, JOINS), _pick(rng, GAPS), _pick(rng, PREFIXES)
    tail = _pick(rng, ("", "", "\x1b[0m", " |"))
    rows = _fields(rng, step, losses)
    return [[prefix + gap.join(name + join + value for name, value in row) + tail] for row in rows]


def _blocks(rng, step, losses):
    join, prefix = _pick(rng, (": ", "=", " = ")), _pick(rng, PREFIXES)
    head, name = _pick(rng, ("[step={}/9000,epoch=1]", "step {}:", "Iteration {}", "--- step {} of 9000 ---")), None
    name = _pick(rng, LOSS)
    rows = []
    for s, text in zip(step.tolist(), losses, strict=True):
        fields = [f"    {name}{join}{text}", f"    lr{join}0.0003", f"    grad_norm{join}1.5"]
        rows.append([prefix + head.format(s), *fields])
    return rows


def _dicts(rng, step, losses):
    prefix = _pick(rng, PREFIXES)
    rows = _fields(rng, step, losses)
    quote = _pick(rng, ("'", '"'))
    texts = rng.random() < 0.3
    out = []
    for row in rows:
        inside = ", ".join(
            f"{quote}{name}{quote}: " + (f"{quote}{value}{quote}" if texts or not _is_plain(value) else value)
            for name, value in row
        )
        out.append([prefix + "{" + inside + "}"])
    return out


def _is_plain(text):
    try:
        float(text)
    except ValueError:
        return False
    return text == "0" or not text.startswith("0") or text.startswith("0.")


def _bars_and_dicts(rng, step, losses):
    total = int(step[-1]) * 3
    return [
        [f"  3%|##   | {s}/{total} [00:10<10:00,  1.2it/s]\r{{'loss': {text}, 'learning_rate': 0.0003, 'epoch': {s / total:.2f}}}"]
        for s, text in zip(step.tolist(), losses, strict=True)
    ]  # fmt: skip


def _bars(rng, step, losses):
    total, name = int(step[-1]) * 3, _pick(rng, ("loss", "train_loss"))
    return [
        [f"Epoch 0:   3%|2   | {s}/{total} [16:05<7:52:06, 3.89s/it, {name}={text}, lr=3.00e-04]"]
        for s, text in zip(step.tolist(), losses, strict=True)
    ]


def _first(rng, step, losses):
    begin, gap = _pick(rng, (("{}", " | "), ("[{}]", " "), ("{}:", " "), ("{}", "\t")))
    return [
        [begin.format(s) + gap + f"loss {text}{gap}lr 3.0e-04{gap}400.00ms"]
        for s, text in zip(step, losses, strict=True)
    ]


def _at_step(rng, step, losses):
    name, join = _pick(rng, ("Training loss", "Loss", "train loss")), _pick(rng, (": ", " = "))
    return [[f"{name} at step {s}{join}{text}"] for s, text in zip(step.tolist(), losses, strict=True)]


def _pretty(rng, step, losses):
    """A dict over several lines."""
    return [
        [f"{{'accuracy': 0.1,\n 'loss': {text},\n 'lr': 0.0003,\n 'step': {s}}}"]
        for s, text in zip(step.tolist(), losses, strict=True)
    ]


def _redrawn_bars(rng, step, losses):
    """Bars as tqdm writes them around printed dicts: redrawn below, and above late by some steps, or not at all."""
    total, late = int(step[-1]) * 3, _pick(rng, (0, 0, 1, None))
    if len(set(np.diff(step))) > 1 or step[0] % np.diff(step)[0] or (late == 1 and step[0] == 1):
        late = 0
    bar = f"\r  3%|##   | {{}}/{total} [00:10<10:00,  1.2it/s]"
    rows = []
    for s, text in zip(step.tolist(), losses, strict=True):
        above = [] if late is None and rows else [bar.format(max(s - (late or 0), 0) if late is not None else 0)]
        metrics = f"\r          \r{{'loss': {text}, 'grad_norm': 1.2, 'epoch': {s / total:.2f}}}\n"
        rows.append(["".join(above) + metrics + bar.format(s)])
    return rows


def _epochs(rng, step, losses):
    """Steps of one epoch, in brackets or not."""
    shape = _pick(rng, ("Epoch [1/3], Step [{}/{}], Loss: {}", "Epoch: [0][{}/{}]\tTime 0.5 ( 0.6)\tLoss {} (5.1)",
                        "[Epoch 1/3] [Batch {}/{}] [loss: {}]", "| epoch   1 | {:5d}/ {} batches | ms/batch 9.1 | loss  {}",
                        "Iter(train) [{:5d}/{}]  eta: 1:00:00  loss: {}", "loss is {2} at iter {0}"))  # fmt: skip
    total = int(step[-1]) * 3
    return [[shape.format(s, total, text)] for s, text in zip(step.tolist(), losses, strict=True)]


STYLES = {
    "line": _lines, "block": _blocks, "dict": _dicts, "bar and dict": _bars_and_dicts, "bar": _bars, "first": _first,
    "at step": _at_step, "pretty": _pretty, "redrawn bars": _redrawn_bars, "epochs": _epochs,
}  # fmt: skip


def read_dialects(folder: Path, cases: int, first: int = 0) -> Counter[str]:
    """Read many dialects. Each gives the points it holds, or a one-line error. Returns how many of each."""
    results: Counter[str] = Counter()
    for seed in range(first, first + cases):
        log = make_log(seed)
        try:
            curve = read_curve(put(folder / "run.log", log.text))
        except InputError:
            results["refused"] += 1
            continue
        context = f"case {seed}, {log.options}: {log.text[:600]}"
        np.testing.assert_array_equal(curve.step, log.step, err_msg=context)
        np.testing.assert_allclose(curve.loss, log.loss, rtol=1e-12, err_msg=context)
        results["read"] += 1
    return results
