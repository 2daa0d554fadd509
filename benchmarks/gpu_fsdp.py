"""The live monitor where GPUs share the weights, in accelerate, Trainer and Lightning: nothing changes.

    torchrun --nproc-per-node=gpu benchmarks/gpu_fsdp.py

Each host trains a tiny model with dropout for 9 updates, without and with the monitor; parameters have to be DTensors,
and weights equal bit for bit. Exit code 1 where they are not, 2 where there is no GPU. On a CPU these hosts do not
share weights: tests/monitor has plain PyTorch and our own loop there.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import LlamaConfig, LlamaForCausalLM

import zerosum

STEPS, ROWS, LENGTH, VOCABULARY = 9, 8, 65, 512
LOG: dict[int, dict[str, float]] = {}


def new_model() -> Any:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        attention_dropout=0.1,
    )  # fmt: skip
    return LlamaForCausalLM(config).train()


def tokens(seed: int, rows: int) -> torch.Tensor:
    return torch.randint(0, VOCABULARY, (rows, LENGTH), generator=torch.Generator().manual_seed(seed))


PROBE = tokens(99, 24)


def log(values: Any, step: int) -> None:
    LOG[step] = dict(values)


def in_accelerate(monitored: bool) -> Any:
    from accelerate import Accelerator, FullyShardedDataParallelPlugin

    plugin = FullyShardedDataParallelPlugin(fsdp_version=2, auto_wrap_policy="transformer_based_wrap")
    accelerator = Accelerator(fsdp_plugin=plugin)
    model = new_model()
    model, optimizer = accelerator.prepare(model, torch.optim.AdamW(model.parameters(), 1e-3))
    monitor = zerosum.Monitor(model, PROBE, cost="full", log=log, optimizer=optimizer) if monitored else None
    if monitor:
        monitor.prepare(accelerator)
    torch.manual_seed(accelerator.process_index)
    for step in range(STEPS):
        ids = tokens(step, ROWS).to(accelerator.device)
        accelerator.backward(model(input_ids=ids, labels=ids).loss)
        if monitor:
            with monitor.step(step, batch=ids):
                optimizer.step()
        else:
            optimizer.step()
        optimizer.zero_grad()
    return model


def in_trainer(monitored: bool) -> Any:
    from transformers import Trainer, TrainingArguments

    from zerosum.monitor.huggingface import ZerosumCallback

    arguments = TrainingArguments(
        tempfile.mkdtemp(), max_steps=STEPS, per_device_train_batch_size=ROWS, seed=3, save_strategy="no",
        report_to=[], disable_tqdm=True, learning_rate=1e-3, fsdp="full_shard auto_wrap",
        fsdp_config={"fsdp_version": 2, "transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"]},
    )  # fmt: skip
    data = [{"input_ids": row, "labels": row} for row in tokens(0, 256)]
    callbacks = [ZerosumCallback(PROBE, cost="full", log=log)] if monitored else []
    trainer = Trainer(new_model(), arguments, train_dataset=data, callbacks=callbacks)
    trainer.train()
    return trainer.model_wrapped


def in_lightning(monitored: bool) -> Any:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.strategies import ModelParallelStrategy

    from zerosum.monitor.lightning import ZerosumCallback

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = new_model()

        def configure_model(self) -> None:
            if not isinstance(next(self.model.parameters()), DTensor):
                for layer in self.model.model.layers:
                    fully_shard(layer, mesh=self.device_mesh["data_parallel"])
                fully_shard(self.model, mesh=self.device_mesh["data_parallel"])

        def training_step(self, batch: torch.Tensor) -> Any:
            return self.model(input_ids=batch, labels=batch).loss

        def configure_optimizers(self) -> Any:
            return torch.optim.AdamW(self.parameters(), 1e-3)

    size = int(os.environ["WORLD_SIZE"])
    strategy = ModelParallelStrategy(data_parallel_size=size, tensor_parallel_size=1)
    runner = Trainer(
        max_steps=STEPS, max_epochs=-1, accelerator="gpu", devices=size, strategy=strategy, logger=False,
        callbacks=[ZerosumCallback(PROBE, cost="full", log=log)] if monitored else [], enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    module = Module()
    torch.manual_seed(int(os.environ["RANK"]))
    runner.fit(module, torch.utils.data.DataLoader(tokens(0, 256), batch_size=ROWS))
    return module.model


HOSTS: dict[str, Callable[[bool], Any]] = {
    "accelerate": in_accelerate, "Trainer": in_trainer, "Lightning": in_lightning,
}  # fmt: skip


def check(run: Callable[[bool], Any]) -> str:
    """What is wrong; "" where nothing is."""
    parts = []
    for monitored in (False, True):
        LOG.clear()
        weights = list(run(monitored).parameters())
        if not all(isinstance(weight, DTensor) for weight in weights):
            return "its parameters are not shared (no DTensors)"
        parts.append([weight.to_local().detach().clone() for weight in weights])
    if not all(torch.equal(one, other) for one, other in zip(*parts, strict=True)):
        return "weights differ with the monitor"
    if int(os.environ["RANK"]) == 0 and list(LOG) != [1, 2, 4, 8]:
        return f"measured at steps {list(LOG)}"
    return ""


def main() -> int:
    if not torch.cuda.is_available():
        print("no GPU that torch can use here", file=sys.stderr)
        return 2
    failed = 0
    for name, run in HOSTS.items():
        try:
            wrong = check(run)
        except Exception as error:  # noqa: BLE001 - the other hosts go on
            wrong = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        failed += bool(wrong)
        if wrong or int(os.environ["RANK"]) == 0:
            print(f"{name}: {wrong or 'equal bit for bit'}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
