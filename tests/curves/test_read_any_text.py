"""Text logs that no special reader knows: each dialect's points, and what is refused because it is not certain."""

# ruff: noqa: E501 - lines as long as the scripts print them

import time

import numpy as np
import pytest
from text_dialects import read_dialects
from written import put

from zerosum.curves import read_curve
from zerosum.curves.line_fields import read_line
from zerosum.errors import InputError

STEPS = list(range(50, 450, 50))
LOSSES = [8.125, 7.25, 6.5, 6.0, 5.625, 5.25, 5.0, 4.875]


def lines(line, **more):
    """A line for each point. more: other values of each line."""
    return "".join(
        line.format(s=s, y=y, v=y + 0.1, t=s * 1000, e=s / 100, k=k, **more) + "\n"
        for k, (s, y) in enumerate(zip(STEPS, LOSSES, strict=True))
    )


DIALECTS = {
    "words": "Step {s}, Loss: {y:.4f}",
    "bars": "step {s:6d} | loss: {y:.6f} | lr 3.0000e-04 | norm: 1.2000 | dt: 400.00ms | tok/sec: 1300000.00",
    "first number": "{s} | loss {y:.4f} | lr 3.000000e-04 | 500.00ms | mfu 40.00%",
    "first number in brackets": "[{s}] learning_rate=0.0003, loss={y}, steps_per_second=2.5",
    "Megatron's kin": " samples/sec: 20.3 | iteration {s:8d}/  143000 | elapsed time per iteration (ms): 50.0 | learning rate: "
    "3.000E-04 | lm_loss: {y:E} | loss scale: 4096.0 | number of nan iterations:   0 |",
    "two lines": "[2024-01-01 00:00:00,000] [INFO] [logging.py:96:log_dist] [Rank 0] step={s}, lr=[0.0003], mom=[[0.9, 0.95]]\n"
    "steps: {s} loss: {y:.4f} iter time (s): 1.200 samples/sec: 12.300",
    "JSON in a line": '2024-01-01 00:00:00 | INFO | train | {{"epoch": 1, "loss": "{y}", "num_updates": "{s}", "lr": "0.0003"}}',
    "Python in a line": "metrics: {{'train': {{'loss': {y}}}, 'val': {{'loss': {v}}}, 'step': {s}, 'lr': 0.0003}}",
    "pretty-printed": "{{'grad_norm': 1.5,\n 'loss': {y},\n 'lr': 0.0003,\n 'step': {s}}}",
    "tqdm and a dict": "  3%|##   | {s}/3000 [00:10<10:00,  1.2it/s]\r{{'loss': {y}, 'grad_norm': nan, 'learning_rate': 0.0003}}",
    "tqdm's postfix": "Epoch 0:  3%|2  | {s}/3000 [16:05<7:52:06, 3.89s/it, loss={y:.3f}, reduced_train_loss={y:.5f}, lr=3.00e-04]",
    "blocks": "[step={s}/10000,epoch=1,eta=2 hours]\n    optim/LR (group 0)=0.0003\n    train/CE loss={y}\n    train/PPL={p:.1f}",
    "blocks below a batch": "[epoch=1][batch={s}/4800]:\n\t Train time/batch: {k}\n\t Train loss/train/total: {y}\n"
    "\t Train lr-DecoupledAdamW/group0: 0.0003",
    "validation beside it": "Ep 1 (Step {s:06d}): Train loss {y:.3f}, Val loss {v:.3f}, lr: 3e-4",
    "loss at step": "Training loss at step {s}: {y:.4f}, lr: 3e-4",
    "tensors": "step: {s}, loss: tensor({y}, device='cuda:0'), lr: 3e-4",
    "arrays of JAX": "I0101 00:00:00.000 140 train.py:20] step {s}: {{'loss': Array({y}, dtype=float32), 'lr': 0.0003}}",
    "colours and a rank": "\x1b[32m[rank0]: \x1b[0mstep: \x1b[1m{s}\x1b[0m loss = {y} lr = 3e-4",
    "batches of batches": "| epoch   1 | {s:5d}/ 2983 batches | lr 0.0003 | ms/batch 10.0 | loss  {y} | ppl  {p:.2f}",
    "two numbers in brackets": "[1, {s:5d}] loss: {y:.3f} lr: 3e-4",
    "a logger's thread": "I0102 10:00:00.123456 140 logging_writer.py:48] [{s}] learning_rate=0.0003, loss={y}",
    "words and signs": 'level=info msg="train step" * step {s} -> loss is {y} ~ lr 3e-4',
    "one name for two numbers": "{{'loss': {y}, 'learning_rate': 0.0003, 'global_step/max_steps': '{s}/3000'}}",
    "training and evaluation by turns": "train: step {s} loss {y} lr 3e-4\neval: step {s} loss {v} lr 3e-4",
}


@pytest.fixture
def read(tmp_path):
    return lambda text, **named: read_curve(put(tmp_path / "run.log", text), **named)


@pytest.mark.parametrize("kind", DIALECTS)
def test_dialects(read, kind):
    text = "".join(
        DIALECTS[kind].format(s=s, y=y, v=y + 0.1, k=k, p=np.exp(y)) + "\n"
        for k, (s, y) in enumerate(zip(STEPS, LOSSES, strict=True))
    )
    curve = read("compiling the model...\n" + text)
    np.testing.assert_array_equal(curve.step, STEPS)
    np.testing.assert_array_equal(curve.loss, LOSSES)
    assert curve.format == "text log"
    assert curve.cleaning_codes[0] == "text-log"
    if "lr" in DIALECTS[kind].lower() or "learning" in DIALECTS[kind]:
        np.testing.assert_array_equal(curve.lr, np.full(8, 0.0003))


def test_what_was_taken_is_said(read):
    curve = read(lines("Iter {s}: Train loss {y}, Learning Rate 3.000e-04, Tokens/sec 9.1, Trained Tokens {t:,}"))
    expected = (
        "printed lines: loss 'Train loss', step 'Iter', tokens 'Trained Tokens', rate 'Learning Rate', as in 'Iter 50:"
    )
    assert curve.cleaning[0].startswith(expected)
    assert curve.columns == {"step": "Iter", "loss": "Train loss", "tokens": "Trained Tokens", "lr": "Learning Rate"}
    np.testing.assert_array_equal(curve.tokens, np.array(STEPS) * 1000.0)


@pytest.mark.parametrize(("tokens", "factor"), [("{k}.50M", 1e6), ("{k}.50K", 1e3), ("{k}.50B", 1e9)])
def test_rounded_numbers(read, tokens, factor):
    curve = read(lines("iteration: {s} / 3000 | consumed_tokens: " + tokens + " | lm_loss: {y} | lr: 0.0003"))
    np.testing.assert_array_equal(curve.tokens, (np.arange(8) + 0.5) * factor)


def test_batches_of_epochs_are_continued(read):
    text = "".join(
        f"Epoch:[{e}/2]({s}/400), loss: {y - e}, aux_loss: 0.1\n"
        for e in (1, 2)
        for s, y in zip(STEPS, LOSSES, strict=True)
    )
    curve = read(text)
    assert len(curve) == 16
    assert (np.diff(curve.step) > 0).all()


def test_losses_without_steps_are_counted(read):
    text = (
        lines("{{'loss': {y}, 'grad_norm': 1.2, 'learning_rate': 0.0003, 'epoch': {e}}}")
        + "{'train_loss': 5.9, 'epoch': 1}\n"
    )
    np.testing.assert_array_equal(read(text).step, np.arange(1, 9))
    curve = read(text, every=25)
    np.testing.assert_array_equal(curve.step, np.arange(25, 225, 25))
    assert "no steps in it: the 8 losses were counted 25 to 200" in curve.cleaning


def test_progress_bars_that_lag_behind_their_losses(read):
    """tqdm redraws the bar below a printed loss; the bar above it may be some steps late, or of the loss before."""
    for above in ("\r {late}/4000 [00:10<1:00, 1.2it/s]", ""):
        line = above + "\r         \r{{'loss': {y}, 'epoch': {e}}}\n\r {s}/4000 [00:10<1:00, 1.2it/s]"
        text = "".join(line.format(s=s, late=s - 3, y=y, e=s / 500) for s, y in zip(STEPS, LOSSES, strict=True))
        curve = read("\r 0/4000 [00:00<?, ?it/s]" + text + "\n")
        np.testing.assert_array_equal(curve.step, STEPS)
        np.testing.assert_array_equal(curve.loss, LOSSES)


def test_bars_that_leave_the_step_open_are_refused(read):
    text = "0/4000 [00:00<?, ?it/s]" + lines("\r{{'loss': {y}}}\n\r{s}/4000 [00:10<1:00, 1.2it/s]")
    with pytest.raises(InputError, match="the first loss may be of step 0 or 50"):
        read(text)


def test_bars_that_repeat_the_last_loss(read):
    bar = "\r 3%|2  | {n}/4000 [00:10<1:00, 3it/s, loss={y}]"
    text = "".join(bar.format(n=s + k, y=y) for s, y in zip(STEPS, LOSSES, strict=True) for k in (0, 10, 20, 30))
    curve = read(text + "\n")
    np.testing.assert_array_equal(curve.step, STEPS)
    assert "24 bars that repeat the loss before them left out" in curve.cleaning


def test_words_as_labels(read):
    text = lines("split=train step={s} loss={y}\nsplit=val step={s} loss={v}")
    np.testing.assert_array_equal(read(text).loss, LOSSES)
    text = lines("model=small step={s} loss={y}\nmodel=large step={s} loss={v}")
    with pytest.raises(InputError, match=r"2 runs in it.*--where model=small"):
        read(text)
    np.testing.assert_array_equal(read(text, where={"model": "small"}).loss, LOSSES)


VALIDATION = ["val loss {v}", "validation | step {s} | loss {v}", "[eval] step {s} loss {v}", "Evaluation:\nstep {s} loss {v}",
              "step {s} loss {v} (val)", "{{'eval_loss': {v}}}", "test_step: {s} loss {v}",
              'level=info msg="eval step" step={s} loss={v}']  # fmt: skip


@pytest.mark.parametrize("line", VALIDATION)
def test_lines_of_validation_are_left_out(read, line):
    np.testing.assert_array_equal(read(lines("step {s} loss {y}\n" + line)).loss, LOSSES)


NO_CURVES = {
    "validation only": lines("step {s}: val loss {y}"),
    "below headings of validation": lines("Validation at step {s}:\n  loss: {y}\n  ppl: 20"),
    "two losses": lines("step {s} loss {y} train_loss {v}"),
    "two counters": lines("iteration {s} batch_step {k} iter {t} loss {y}"),
    "a second loss unnamed": lines("step {s} loss {y}") + lines("step {s} loss {y}")[:0]
    + "".join(f"step {s} loss {y}\n" + f"step {s} loss {y + 1}\n" * (s % 100 == 0 and s < 250) for s, y in zip(STEPS, LOSSES, strict=True)),
    "another loss": lines("step {s} aux loss {y} running loss {v}"),
    "sweep": lines("seed {k} loss {y}"),
    "finished runs": lines("trial {k}: final loss {y}"),
    "several runs": lines("{{'model': 'small', 'step': {s}, 'loss': {y}}}\n{{'model': 'large', 'step': {s}, 'loss': {v}}}"),
    "decimal commas": lines("step {s} loss 3,25"),
    "shares": lines("step {s} loss {y}%"),
    "bits": lines("step {s} loss {y} bits"),
    "bits of a byte": lines("step {s} | loss {y}bpb | lr 3e-4"),
    "bits of a token": lines("step={s} loss={y} (bits/token)"),
    "pairs": lines("step {s} loss {y}/{v}"),
    "prose": "At step 100 the loss is 6.3; at step 200 it is 5.3.\nThe loss of 4.8 at step 300 is fine.\n" * 4,
    "a few lines": lines("step {s} loss {y}")[:60],
    "configuration": "step: 100\nloss: 0.5\nloss_scale: 1024\nlabel_smoothing: 0.1\n",
    "code": "loss = 0.5\nfor step in range(100):\n    loss = 1.0 * f(3)\n    print(f'step {step} loss {loss:.3f}')\n",
    "lists": lines("step {s} losses [{y}, {v}]"),
    "every line about validation": lines("INFO test_run: step={s} loss={y}"),
    "losses of micro-batches": "".join(f"step {k // 3} micro_step {k} loss {9 - k / 10}\n" for k in range(12)),
    "two losses of one name": lines("step {s} loss {y} | best: loss {v}"),
    "steps in words not understood": lines("(trainer:737) 1epoch:train:{k}-{s}batch: loss={y}"),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_CURVES)
def test_what_is_not_certain_is_refused_in_one_line(read, kind):
    with pytest.raises(InputError) as error:
        read(NO_CURVES[kind])
    assert "\n" not in str(error.value)


def test_losses_in_bits_are_converted_where_they_are_chosen(read):
    np.testing.assert_allclose(
        read(lines("step {s} loss {y} bits"), loss="loss in bits").loss, np.log(2) * np.array(LOSSES)
    )
    np.testing.assert_allclose(
        read(lines("step {s} loss {y}bpb"), loss="loss in bpb", bytes_per_token=4.0).loss,
        4 * np.log(2) * np.array(LOSSES),
    )


def test_the_choice_is_the_callers(read):
    text = lines("iter {k} step {s} avg loss {y} loss {v}")
    np.testing.assert_array_equal(read(text, loss="avg loss").loss, LOSSES)
    np.testing.assert_array_equal(read(text, step="iter").step, np.arange(8))
    with pytest.raises(
        InputError, match="no line has a number called 'ce'; there are 'iter', 'step', 'avg loss', 'loss'"
    ):
        read(text, loss="ce")


def test_a_line_cut_off_gives_no_other_number(read):
    text = lines("step {s} loss {y}")
    for end in range(len(text) - 20, len(text)):
        assert set(read(text[:end]).loss) <= set(LOSSES)


@pytest.mark.parametrize(
    "line",
    [
        "loss " + "9" * 300_000,
        "loss: " * 60_000,
        "{" * 4_000,
        "{'a': " * 800,
        "step 1 " * 40_000,
        "(" * 4_900,
        "1/2" * 1_600,
    ],
    ids=["digits", "names", "braces", "nested", "steps", "brackets", "fractions"],
)
def test_lines_made_to_be_slow_are_not(read, line):
    start = time.process_time()
    assert len(read(lines("step {s} loss {y}") + line + "\nend\n")) == 8
    assert time.process_time() - start < 5


def test_names_of_numbers():
    line = read_line(
        "Train Epoch: 0 [51200/1536000 (3%)] Loss: 6.298 (6.298) Data (t): 0.1 Batch (t): 1.2, 5000.1/s LR: 0.0003"
    )
    names = {"Epoch": 0, "N/M": 51200, "Loss": 6.298, "Data (t)": 0.1, "Batch (t)": 1.2, "LR": 0.0003}
    assert line.numbers == names


def test_generated_dialects(tmp_path):
    """Right or refused, and few refused. `make check-long` reads many more."""
    results = read_dialects(tmp_path, 60)
    assert results["read"] >= 57
