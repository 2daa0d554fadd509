"""What training scripts print: each script's own lines, between whatever else it printed."""

# ruff: noqa: E501 - lines as long as the scripts print them

import contextlib
import time

import numpy as np
import pytest
from written import put

from zerosum.curves import read_curve
from zerosum.errors import InputError

NANOGPT = """tokens per iteration will be: 491,520
number of parameters: 123.59M
step 0: train loss 10.9886, val loss 10.9898
iter 0: loss 10.9886, time 52345.67ms, mfu -100.00%
iter 10: loss 9.5215, time 512.10ms, mfu 40.12%
step 20: train loss 9.0100, val loss 9.0200
iter 20: loss 9.0044, time 513.00ms, mfu 40.12%
"""
BUILD_NANOGPT = """0 val 10.9511
0 hella 0.2463
0 train 10.955029
1 train 10.652
2 train 10.401000
"""
LLMC_LOG = """s:0 tel:11.0066
s:1 trl:10.9885 lr:0.000001 norm:15.32
s:2 trl:10.9312 lr:0.000002 norm:14.99
s:2 eval:0.2500
s:3 trl:10.8401 lr:0.000003 norm:12.01
"""
LLMC_PRINTED = """| Parameter             | Value                                              |
step    1/18865 | loss 11.0090 (+nanz)| norm 15.4 (+nanz)| lr 8.57e-07 | 3056.36 ms | 42.6% bf16 MFU | 171,546 tok/s
step    2/18865 | loss 10.9511 (+nanz)| norm 14.9 (+nanz)| lr 1.71e-06 | 2747.15 ms | 47.3% bf16 MFU | 190,847 tok/s
val loss 10.9
"""
MODDED = """import os
import sys
with open(sys.argv[0]) as f:
    code = f.read() # read the code of this file ASAP, for logging
print0(f"step:{step+1}/{train_steps} train_loss:{train_loss.item():.4f} train_time:{t:.0f}ms")
====================================================================================================
Running Python 3.12.7
step:0/3375 val_loss:10.8258 train_time:0ms step_avg:nanms
step:1/3375 train_loss:10.8258 train_time:24562ms step_avg:nanms
step:2/3375 train_loss:10.0833 train_time:24634ms step_avg:nanms
step:125/3375 val_loss:6.4032 train_time:16000ms step_avg:139.2ms
step:126/3375 train_loss:6.3500 train_time:16100ms step_avg:139.3ms
"""
NANOCHAT = """Total batch size 524,288 => gradient accumulation steps: 1
Step 00000 | Validation bpb: 3.3012
step 00000/05000 (0.00%) | loss: 11.090355 | lrm: 1.00 | dt: 30000.00ms | tok/sec: 17,476 | mfu: 1.02 | total time: 0.00m
step 00001/05000 (0.02%) | loss: 10.900000 | lrm: 1.00 | dt: 500.00ms | tok/sec: 1,048,576 | mfu: 47.02 | total time: 0.00m
step 00002 (0.1%) | loss: 10.500000 | lrm: 0.50 | dt: 500ms | tok/sec: 1,048,576 | mfu: 47.0% | epoch: 1 | remaining: 3s
"""
TORCHTITAN = """[rank0]:2025-01-01 00:00:00,000 - root - INFO - Training starts at step 1
[rank0]:2025-01-01 00:00:01,000 - root - INFO - \x1b[31mstep:  1  \x1b[32mloss:  8.1309  \x1b[38;2;180;60;0mgrad_norm:  1.47  \x1b[0m
[rank1]:2025-01-01 00:00:01,000 - root - INFO - \x1b[31mstep:  1  \x1b[32mloss:  8.1309  \x1b[38;2;180;60;0mgrad_norm:  1.47  \x1b[0m
[titan] 2025-01-01 00:00:02,000 - root - INFO - step: 10  loss: 7.45003  grad_norm:  1.4  memory:  1.94GiB(4.09%)
[titan] 2025-01-01 00:00:02,000 - root - INFO - validate step: 10  loss: 1.0000  memory:  1.94GiB(4.09%)
"""
MEGATRON = """ [2025-01-01 00:00:00] iteration       10/  500000 | consumed samples:         2560 | learning rate: 1.500000E-06 | global batch size:   256 | lm loss: 1.074E+01 | loss scale: 1.0 |
 validation loss at iteration 10 | lm loss value: 1.07E+01 | lm loss PPL: 4.6E+04 |
 iteration       20/  500000 | consumed samples:         5120 | learning rate: 3.000000E-06 | global batch size:   256 | lm loss: 9.81E+00 | loss scale: 1.0 |
"""
LOGS = {
    "nanoGPT log": (NANOGPT, [0, 10, 20], [10.9886, 9.5215, 9.0044]),
    "build-nanogpt log": (BUILD_NANOGPT, [0, 1, 2], [10.955029, 10.652, 10.401]),
    "llm.c log": (LLMC_LOG, [1, 2, 3], [10.9885, 10.9312, 10.8401]),
    "modded-nanogpt log": (MODDED, [1, 2, 126], [10.8258, 10.0833, 6.35]),
    "nanochat log": (NANOCHAT, [0, 1, 2], [11.090355, 10.9, 10.5]),
    "torchtitan log": (TORCHTITAN, [1, 10], [8.1309, 7.45003]),
    "Megatron log": (MEGATRON, [10, 20], [10.74, 9.81]),
}


@pytest.fixture
def read(tmp_path):
    return lambda text, name="run.log", **named: read_curve(put(tmp_path / name, text), **named)


@pytest.mark.parametrize("kind", LOGS)
@pytest.mark.parametrize("change", ["none", "late", "windows", "utf-16", "csv name"])
def test_each_scripts_lines(read, kind, change):
    text, step, loss = LOGS[kind]
    name = "run.csv" if change == "csv name" else "run.log"
    if change == "late":  # beyond what is looked at first
        text = "UserWarning: this op is slow\n" * 4_000 + text
    if change == "windows":
        text = text.replace("\n", "\r\n")
    curve = read(text.encode("utf-16") if change == "utf-16" else text, name)
    assert curve.format == kind
    np.testing.assert_array_equal(curve.step, step)
    np.testing.assert_array_equal(curve.loss, loss)


def test_llmc_as_printed(read):
    curve = read(LLMC_PRINTED)
    np.testing.assert_array_equal(curve.loss, [11.009, 10.9511])
    np.testing.assert_array_equal(curve.lr, [8.57e-07, 1.71e-06])
    assert curve.format == "llm.c log"


def test_learning_rates_and_tokens_where_they_are_printed(read):
    np.testing.assert_array_equal(read(LLMC_LOG).lr, [1e-6, 2e-6, 3e-6])
    np.testing.assert_array_equal(read(MEGATRON).lr, [1.5e-6, 3e-6])
    np.testing.assert_array_equal(read(NANOGPT).tokens, [0, 4_915_200, 9_830_400])
    np.testing.assert_array_equal(read(NANOCHAT).tokens, [0, 524_288, 1_048_576])
    assert read(NANOCHAT).lr is None
    np.testing.assert_array_equal(read(NANOCHAT, lr="lrm").lr, [1, 1, 0.5])


def test_two_batch_sizes_leave_the_tokens_out_aloud(read):
    curve = read(NANOGPT + "tokens per iteration will be: 245,760\n")
    assert curve.tokens is None
    assert "tokens left out: the log names 2 different numbers of tokens per step" in curve.cleaning


def test_smoothing_and_counting_from_zero_are_said(read):
    assert any("already smoothed" in sentence for sentence in read(NANOCHAT).cleaning)
    for text in (NANOGPT, BUILD_NANOGPT, NANOCHAT):
        assert any("counted from 0" in sentence for sentence in read(text).cleaning)


def test_evaluated_losses_have_to_be_asked_for(read):
    np.testing.assert_array_equal(read(NANOGPT, loss="evaluated train loss").loss, [10.9886, 9.01])
    np.testing.assert_array_equal(read(MODDED, loss="val_loss").step, [0, 125])
    only_validation = "".join(line for line in MODDED.splitlines(keepends=True) if "train_loss:1" not in line)
    with pytest.raises(InputError, match="no column is known as the loss; there are 'step', 'val_loss'"):
        read(only_validation.replace("train_loss:6.3500 ", ""))


@pytest.mark.parametrize("kind", LOGS)
def test_a_log_cut_off_in_its_last_lines_never_gives_another_number(read, kind):
    text, step, loss = LOGS[kind]
    points = set(zip(step, loss, strict=True))
    for end in range(len(text) - 150, len(text)):
        try:
            curve = read(text[:end])
        except InputError:
            continue
        assert set(zip(curve.step, curve.loss, strict=True)) <= points


def test_line_cut_off_inside_its_loss_is_said(read):
    assert "the last line is cut off and was dropped" in read(LLMC_LOG + "s:4 trl:1").cleaning


def test_divergence_is_counted(read):
    curve = read(LLMC_LOG + "s:4 trl:nan lr:0.000004 norm:nan\n")
    assert "1 row without a loss (empty or NaN) dropped" in curve.cleaning


def test_one_carriage_return_for_each_step(read):
    line = "\rstep {:05d} ({:.1f}%) | loss: {:.6f} | lrm: 1.00 | dt: 500ms | tok/sec: 1 | remaining: 3s    "
    curve = read("".join(line.format(k, k / 10, 5 - k / 100) for k in range(50)))
    np.testing.assert_array_equal(curve.step, np.arange(50))


def test_source_alone_is_no_log(read):
    with pytest.raises(InputError, match="not a loss log"):
        read(MODDED[: MODDED.index("step:0/3375")])


@pytest.mark.parametrize(
    "line",
    [
        "iter 1: loss " + "9" * 300_000 + "x",
        "step 1/2 | loss 3.0 " * 15_000,
        " iteration 1/ 2 |" + " | learning rate: 1.0 " * 15_000,
        " iteration 1/ 2 |" * 20_000,
        "step: " + " " * 300_000,
        "s:1 trl:3.0" + "\n" * 300_000,
    ],
    ids=["digits", "llm.c", "learning rates", "iterations", "blanks", "newlines"],
)
def test_lines_made_to_be_slow_are_not(read, line):
    start = time.process_time()
    with contextlib.suppress(InputError):
        read(NANOGPT + line + "\n")
    assert time.process_time() - start < 5
