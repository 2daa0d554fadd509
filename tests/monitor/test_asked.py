"""What is measured where it is asked for: groups, averaged weights, gradients of tokens, micro-batches."""

import copy
import json
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loops import PROBE, batch_of, model_with_dropout

import zerosum
from zerosum.gradients import gradient_interference
from zerosum.gradients.parameters import in_D_grad, trainable
from zerosum.interference import measure
from zerosum.interference.labelled import grouping_names
from zerosum.losses import token_losses
from zerosum.monitor.token_groups import BY_LOSS
from zerosum.tokens import TokenSequences

MICRO, TOKENS = 4, 2 * 12  # micro-batches of a step, predicted tokens of each
LABELS = np.where(PROBE % 3 == 0, "threes", "others")
EVERYTHING: dict[str, Any] = {"groups": LABELS, "average": "last:3", "gradients": "sampled"}
EVERYTHING |= {"cost": "full", "schedule": [4, 8]}


@dataclass
class Accumulated:
    """A run that accumulates gradients. weights: copies of the model before each update and after the last."""

    model: Any
    optimizer: Any
    monitor: Any = None
    told: list[str] = field(default_factory=list)
    records: dict[int, Any] = field(default_factory=dict)
    weights: list[Any] = field(default_factory=list)
    micro: dict[int, list[torch.Tensor]] = field(default_factory=dict)

    def go_on(self, first: int, last: int) -> None:
        for step in range(first, last):
            self.weights.append(copy.deepcopy(self.model))
            own = in_D_grad(trainable(self.model))
            before = [torch.zeros_like(parameter.tensor) for parameter in own]
            for ids in batch_of(step).split(2):
                (self.model(input_ids=ids, labels=ids).loss / MICRO).backward()
                now = [parameter.tensor.grad.clone() for parameter in own]
                gradient = torch.cat([(a - b).flatten() for a, b in zip(now, before, strict=True)])
                self.micro.setdefault(step, []).append(gradient)
                before = now
                if self.monitor:
                    self.monitor.micro_batch(step, TOKENS)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            if self.monitor:
                with self.monitor.step(step, loss=3.0):
                    self.optimizer.step()
                if self.monitor.latest and self.monitor.latest.step == step:
                    self.records[step] = self.monitor.latest
            else:
                self.optimizer.step()
            self.optimizer.zero_grad()

    def everything(self) -> list[torch.Tensor]:
        moments = [value for state in self.optimizer.state.values() for value in state.values()]
        tensors = [value.detach() for value in (*self.model.parameters(), *self.model.buffers(), *moments)]
        return [*tensors, torch.get_rng_state()]


def accumulated(updates: int, probe: Any = PROBE, **settings: Any) -> Accumulated:
    model = model_with_dropout()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    torch.manual_seed(1)
    run = Accumulated(model, optimizer)
    if settings:
        run.monitor = zerosum.Monitor(model, probe, optimizer=optimizer, tell=run.told.append, **settings)
    run.go_on(0, updates)
    run.weights.append(copy.deepcopy(model))
    return run


def same(a: Accumulated, b: Accumulated) -> bool:
    return all(torch.equal(one, other) for one, other in zip(a.everything(), b.everything(), strict=True))


@pytest.fixture(scope="module")
def without() -> Accumulated:
    return accumulated(9)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asked") / "log.jsonl"


@pytest.fixture(scope="module")
def run(logged: Path, without: Accumulated) -> Accumulated:
    watched = accumulated(9, log=logged, **EVERYTHING)
    assert same(watched, without)
    assert watched.told == []
    assert list(watched.records) == [4, 8]
    return watched


def test_groups_are_an_exact_split(run: Accumulated) -> None:
    record = run.records[8]
    labels = LABELS[:, 1:]
    before, after = (token_losses(run.weights[step], PROBE).astype(float) for step in (8, 9))
    for groups, x in (
        (record.groups, after - before),
        (record.double.groups, before - token_losses(run.weights[4], PROBE)),
    ):
        assert [group.name for group in groups.split.groups] == ["others", "threes"]
        nets = [x[labels == name].sum() for name in ("others", "threes")]
        for name, measured in zip(("others", "threes"), groups.measured, strict=True):
            expected = measure(np.where(labels == name, x, np.nan)[(labels == name).any(1)])
            assert pytest.approx((expected.D, expected.M, expected.R), abs=1e-5) == (measured.D, measured.M, measured.R)
        assert groups.split.C_between == pytest.approx(abs(sum(nets)) / sum(map(abs, nets)), abs=1e-4)
        assert groups.split.C_between * groups.split.C_within == pytest.approx(1 - measure(x).D, abs=1e-5)
    assert record.values()["zerosum/C_between_step"] == record.groups.split.C_between


def test_averaged_weights_are_those_of_the_last_iterates(run: Accumulated) -> None:
    def at_average(step: int) -> Any:
        iterates = [run.weights[k].state_dict() for k in range(max(1, step - 2), step + 1)]
        model = copy.deepcopy(run.weights[0])
        model.load_state_dict({name: sum(w[name].double() for w in iterates) / len(iterates) for name in iterates[0]})
        return token_losses(model, PROBE).astype(float)

    expected = measure(at_average(8) - at_average(4))
    values = run.records[8].values()
    for number in ("D", "R", "M", "null_unit"):
        assert values[f"zerosum/{number}_double_average"] == pytest.approx(getattr(expected, number), abs=1e-5)
    assert values["zerosum/loss_average"] == pytest.approx(at_average(8).mean(), abs=1e-6)
    assert values["zerosum/D_double"] != values["zerosum/D_double_average"]


def test_an_ema_has_bias_correction_and_begins_with_the_first_update() -> None:
    run = accumulated(5, average="ema:0.8", cost="full", schedule=[2, 4])
    share = np.array([0.8**k for k in (3, 2, 1, 0)])
    iterates = [run.weights[k].state_dict() for k in range(1, 5)]
    model = copy.deepcopy(run.weights[0])
    model.load_state_dict(
        {
            name: sum(s * w[name].double() for s, w in zip(share / share.sum(), iterates, strict=True))
            for name in iterates[0]
        }
    )
    assert run.records[4].loss_average == pytest.approx(token_losses(model, PROBE).mean(dtype=float), abs=1e-6)


def test_gradients_are_those_of_the_update(run: Accumulated) -> None:
    sample = {"method": "sampled", "n_sampled": 64, "seed": 0}
    expected = gradient_interference(run.weights[4].eval(), PROBE[:8], run.weights[5].eval(), **sample)
    for name in ("C_g", "C_ug", "C_uG"):
        assert run.records[4].values()[f"zerosum/{name}"] == pytest.approx(getattr(expected, name), abs=1e-5)
    record = run.records[4].gradients
    assert record.intervals["C_g"] == pytest.approx(expected.intervals["C_g"], abs=1e-5)


def test_gradients_of_few_tokens_are_all_formed() -> None:
    """68 tokens of sequences that are padded."""
    ids = np.where(np.arange(13) < np.array([2, 3, 13, 13, 13, 13, 13, 6])[:, None], PROBE[:8], -1)
    run = accumulated(1, schedule=[0], cost="full", gradients="sampled", probe=ids)
    assert run.told == []
    expected = gradient_interference(run.weights[0].eval(), ids, run.weights[1].eval(), method="exact")
    assert run.records[0].gradients.C_g == pytest.approx(expected.C_g, abs=1e-5)


def test_micro_batches_agree_as_their_gradients_do(run: Accumulated) -> None:
    for step, record in run.records.items():
        gradients = torch.stack(run.micro[step]).double()
        products = (gradients @ gradients.T).numpy()
        lengths = np.sqrt(products.diagonal())
        pairs = list(combinations(range(MICRO), 2))
        cosines = [products[a, b] / lengths[a] / lengths[b] for a, b in pairs]
        assert record.noise.mean_cosine == pytest.approx(np.mean(cosines), abs=1e-5)
        assert record.noise.conflict_rate == np.mean([products[a, b] < 0 for a, b in pairs])
        assert record.noise.conflict_rate_null == 0.5
        square = np.mean([products[a, b] for a, b in pairs])
        trace = TOKENS * (lengths**2).mean() - TOKENS * square
        if trace > 0 and square > 0:
            assert record.noise.noise_scale == pytest.approx(trace / square, rel=1e-3)
            assert record.values()["zerosum/noise_scale"] == record.noise.noise_scale
        else:
            assert np.isnan(record.noise.noise_scale)
        assert record.noise.N == MICRO * TOKENS


def test_a_stopped_run_continues(run: Accumulated, logged: Path, tmp_path: Path) -> None:
    parts = accumulated(5, log=tmp_path / "log.jsonl", **EVERYTHING)
    parts.monitor.save(tmp_path)
    settings = {"optimizer": parts.optimizer, "tell": parts.told.append, "log": tmp_path / "log.jsonl"}
    parts.monitor = zerosum.Monitor(parts.model, PROBE, **EVERYTHING, **settings)
    parts.monitor.load(tmp_path)
    parts.go_on(5, 9)
    assert parts.told == []
    run.monitor.close()
    parts.monitor.close()
    rows, whole = (
        [json.loads(line) for line in path.read_text().splitlines()] for path in (tmp_path / "log.jsonl", logged)
    )
    for row in (*rows, *whole):
        row.pop("zerosum/cost", None)
    assert rows == whole


def test_every_grouping_that_needs_no_losses_works() -> None:
    document = np.arange(24) % 5
    sequences = TokenSequences(PROBE, document, tuple("abcde"), np.array([0, 0, 1, 1, 1], np.int32), ("x", "y"))
    for name in grouping_names():
        if name in BY_LOSS:
            with pytest.raises(zerosum.InputError, match="not known here"):
                zerosum.Monitor(model_with_dropout(), sequences, groups=name)
        elif name == "token-class":
            with pytest.raises(zerosum.InputError, match="tokenizer"):
                zerosum.Monitor(model_with_dropout(), sequences, groups=name)
        else:
            monitor = zerosum.Monitor(model_with_dropout(), sequences, groups=name, schedule=[0], cost="full")
            with monitor.step(0), torch.no_grad():
                next(monitor._probe.model.parameters()).add_(0.1)
            assert monitor.latest is not None
            assert monitor.latest.groups is not None
            assert sum(measured.N for measured in monitor.latest.groups.measured) == 24 * 12


def test_what_cannot_be_asked_for_is_refused() -> None:
    class Switching(torch.optim.SGD):
        def eval(self) -> None: ...

        def train(self) -> None: ...

    model = model_with_dropout()
    for options, words in (
        ({"groups": LABELS[:, 1:]}, "Label each id"),
        ({"groups": "colour"}, "position"),
        ({"average": "median"}, "not known"),
        ({"average": "1,2"}, "last:K"),
        ({"average": "last:64", "schedule": "every(4)"}, "16 windows"),
        ({"average": "last:4", "optimizer": Switching(model.parameters(), 0.1)}, "by itself"),
        ({"gradients": "exact"}, "sampled"),
    ):
        with pytest.raises(zerosum.InputError, match=words):
            zerosum.Monitor(model, PROBE, **options)


def test_a_model_whose_gradients_cannot_be_measured_is_watched_without() -> None:
    told: list[str] = []
    model = model_with_dropout()
    model.bfloat16()
    monitor = zerosum.Monitor(model, PROBE, gradients="sampled", cost="full", schedule="every(1)", tell=told.append)
    for step in range(3):
        with monitor.step(step), torch.no_grad():
            next(model.parameters()).add_(0.5)
    assert len(told) == 1
    assert "gradients are not measured" in told[0]
    assert monitor.latest is not None
    assert monitor.latest.step == 2


def test_averaging_too_dear_for_the_limit_is_ended() -> None:
    told: list[str] = []
    model = model_with_dropout()
    monitor = zerosum.Monitor(model, PROBE, average="ema:0.9", cost="economy", schedule=[10**6], tell=told.append)
    for step in range(80):
        with monitor.step(step):
            pass
    assert len(told) == 1
    assert "not averaged any more" in told[0]
