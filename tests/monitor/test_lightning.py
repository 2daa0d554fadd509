"""In Lightning with accumulated gradients: nothing changes, values reach its logger, and a checkpoint continues."""

import csv
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from loops import DATA, PROBE, TROUBLE_STEPS, assert_trouble_is_told_once, model_with_dropout, told_of, trouble

from zerosum import InputError
from zerosum.interference import measure
from zerosum.losses import token_losses

pytest.importorskip("lightning")
warnings.filterwarnings("ignore", module="lightning")

from lightning.pytorch import Callback, LightningModule, Trainer  # noqa: E402
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

from zerosum.monitor.lightning import ZerosumCallback  # noqa: E402

STEPS = 5


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.model = model_with_dropout()

    def training_step(self, batch: torch.Tensor) -> Any:
        return self.model(input_ids=batch, labels=batch).loss

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), 1e-2)


class Losses(Callback):
    """Losses of the held-out tokens at the end of each batch, by step."""

    def __init__(self) -> None:
        self.of: dict[int, Any] = {}

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, *_: Any) -> None:
        self.of[trainer.global_step] = token_losses(pl_module.model, PROBE).astype(float)


def train(
    folder: Path,
    *callbacks: Callback,
    last: int = STEPS,
    checkpoint: Path | None = None,
    kind: type[Module] = Module,
    accumulated: int = 2,
) -> Trainer:
    trainer = Trainer(
        max_steps=last,
        max_epochs=-1,
        accumulate_grad_batches=accumulated,
        accelerator="cpu",
        logger=CSVLogger(folder),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        log_every_n_steps=1,
    )
    torch.manual_seed(1)
    trainer.fit(kind(), torch.utils.data.DataLoader(DATA, batch_size=4), ckpt_path=checkpoint, weights_only=True)
    return trainer


def everything(trainer: Trainer) -> list[torch.Tensor]:
    states = [state for optimizer in trainer.optimizers for state in optimizer.state.values()]
    moments = [value for state in states for value in state.values() if isinstance(value, torch.Tensor)]
    return [*(value.detach() for value in trainer.lightning_module.parameters()), *moments, torch.get_rng_state()]


def values(trainer: Trainer) -> dict[int, dict[str, str]]:
    """The rows of the logger's file that the monitor wrote, by step."""
    with (Path(trainer.logger.log_dir) / "metrics.csv").open() as file:  # type: ignore[union-attr,arg-type]
        rows = [row for row in csv.DictReader(file) if row.get("zerosum/D_step")]
    return {int(row["step"]): {name: value for name, value in row.items() if name != "zerosum/cost"} for row in rows}


def test_nothing_changes_and_values_are_those_of_the_model(tmp_path: Path) -> None:
    losses = Losses()
    watched = train(tmp_path / "watched", losses, ZerosumCallback(PROBE, cost="full"))
    tensors, rows = everything(watched), values(watched)
    assert all(
        torch.equal(one, other) for one, other in zip(everything(train(tmp_path / "without")), tensors, strict=True)
    )
    assert list(rows) == [1, 2, 4]
    for step in rows:
        expected = measure(losses.of[step + 1] - losses.of[step])
        assert float(rows[step]["zerosum/D_step"]) == pytest.approx(expected.D, abs=1e-6)
    assert float(rows[4]["zerosum/D_double"]) == pytest.approx(measure(losses.of[4] - losses.of[2]).D, abs=1e-6)


def test_a_checkpoint_continues(tmp_path: Path) -> None:
    whole = values(train(tmp_path / "whole", ZerosumCallback(PROBE, cost="full", total_steps=STEPS)))
    first = train(tmp_path / "first", ZerosumCallback(PROBE, cost="full", total_steps=STEPS), last=3)
    first.save_checkpoint(tmp_path / "state.ckpt")
    second = train(
        tmp_path / "second", ZerosumCallback(PROBE, cost="full", total_steps=STEPS), checkpoint=tmp_path / "state.ckpt"
    )
    assert list(values(second)) == [4]
    assert values(second)[4]["zerosum/D_double"]
    assert values(first) == {step: whole[step] for step in (1, 2)}


class InTrouble(Module):
    def training_step(self, batch: torch.Tensor) -> Any:
        return trouble(self.trainer.global_step, super().training_step(batch))

    def configure_optimizers(self) -> Any:
        return torch.optim.AdamW(self.parameters(), 0.0)


def test_trouble_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    callback = ZerosumCallback(DATA, cost="full")
    trainer = train(tmp_path, callback, last=TROUBLE_STEPS, kind=InTrouble, accumulated=1)
    with (Path(trainer.logger.log_dir) / "metrics.csv").open() as file:  # type: ignore[union-attr,arg-type]
        assert_trouble_is_told_once(caplog, list(csv.DictReader(file)))


class Closure(Module):
    """LBFGS evaluates the loss several times in an update."""

    def configure_optimizers(self) -> Any:
        return torch.optim.LBFGS(self.parameters(), 0.1, max_iter=3)


class Several(Module):
    """Two optimizers, both with an update in every second batch."""

    automatic_optimization = False

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> Any:
        loss = self.model(input_ids=batch, labels=batch).loss
        self.manual_backward(loss)
        if batch_idx % 2:
            for optimizer in self.optimizers():
                optimizer.step()
                optimizer.zero_grad()
        return loss

    def configure_optimizers(self) -> Any:
        parts = [[one for one in self.parameters() if (one.ndim == 2) == matrices] for matrices in (True, False)]
        return [torch.optim.SGD(parts[0], 0.5), torch.optim.AdamW(parts[1], 0.01)]


@pytest.mark.parametrize(("kind", "updates"), [(Closure, 5), (Several, 5)])
def test_other_ways_to_update(
    kind: type[Module], updates: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    last = updates * (2 if kind is Several else 1)  # Lightning counts the updates of each optimizer
    losses = Losses()
    settings: dict[str, Any] = {"last": last, "kind": kind, "accumulated": 1}
    watched = train(tmp_path / "watched", losses, ZerosumCallback(PROBE, cost="full"), **settings)
    without = everything(train(tmp_path / "without", **settings))
    assert all(torch.equal(one, other) for one, other in zip(everything(watched), without, strict=True))
    logged = values(watched)
    assert list(logged) == [1, 2, 4]
    of = [losses.of[step] for step in sorted(losses.of) if step]
    for step in logged:
        expected = measure(of[step] - of[step - 1])
        assert float(logged[step]["zerosum/D_step"]) == pytest.approx(expected.D, abs=1e-6)
    assert ["2 optimizers" in line for line in told_of(caplog)] == [True] * (kind is Several)


def test_wrong_arguments_are_refused_before_training(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="log3"):
        ZerosumCallback(PROBE, schedule="log3")
    with pytest.raises(InputError, match="'languages': Module has no such attribute"):
        train(tmp_path, ZerosumCallback(PROBE, model="languages"))
