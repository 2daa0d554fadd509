"""In Lightning with accumulated gradients: nothing changes, values reach its logger, and a checkpoint continues."""

import csv
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from loops import DATA, PROBE, model_with_dropout

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


def train(folder: Path, *callbacks: Callback, last: int = STEPS, checkpoint: Path | None = None) -> Trainer:
    trainer = Trainer(
        max_steps=last,
        max_epochs=-1,
        accumulate_grad_batches=2,
        accelerator="cpu",
        logger=CSVLogger(folder),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        log_every_n_steps=1,
    )
    torch.manual_seed(1)
    trainer.fit(Module(), torch.utils.data.DataLoader(DATA, batch_size=4), ckpt_path=checkpoint, weights_only=True)
    return trainer


def everything(trainer: Trainer) -> list[torch.Tensor]:
    moments = [value for state in trainer.optimizers[0].state.values() for value in state.values()]
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
    whole = values(train(tmp_path / "whole", ZerosumCallback(PROBE, cost="full")))
    first = train(tmp_path / "first", ZerosumCallback(PROBE, cost="full"), last=3)
    first.save_checkpoint(tmp_path / "state.ckpt")
    second = train(tmp_path / "second", ZerosumCallback(PROBE, cost="full"), checkpoint=tmp_path / "state.ckpt")
    assert list(values(second)) == [4]
    assert values(second)[4]["zerosum/D_double"]
    assert values(first) == {step: whole[step] for step in (1, 2)}
