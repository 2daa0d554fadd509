"""The identity gate: methods pass (`test_identities` has all objectives), and what is not as declared does not run."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_recipe import tiny_recipe

from zerosum.bench.identity import check_identity
from zerosum.errors import InputError
from zerosum.training.changes import with_changes
from zerosum.training.identity import Identity
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.optimizers.cautious_adamw import CautiousAdamWSettings
from zerosum.training.optimizers.muon import MuonSettings
from zerosum.training.recipe import Recipe
from zerosum.training.state import new_state, save

METHODS = [*(("optimizer", kind) for kind in OPTIMIZERS.names()), ("objective", "rho1"), ("aggregator", "pcgrad")]


@pytest.fixture(scope="module")
def baseline(corpus: Path) -> Recipe:
    return tiny_recipe(corpus)


@pytest.fixture(scope="module")
def reference(baseline: Recipe, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reference") / "checkpoint-0"
    save(new_state(baseline), folder)
    return str(folder)


@pytest.mark.parametrize(("part", "kind"), METHODS)
def test_every_method_passes(part: str, kind: str, baseline: Recipe, reference: str) -> None:
    more = {"objective.reference": reference} if kind == "rho1" else {}
    check = check_identity(kind, with_changes(baseline, {f"{part}.kind": kind, **more}), baseline)
    same = kind == getattr(baseline, part).kind
    golden = part == "optimizer" and not isinstance(OPTIMIZERS.settings(kind).identity, Identity)
    assert check.how == ("same" if same else "golden" if golden else "no-op")
    assert check.passed
    assert check.error <= check.tolerance


def test_another_setting_of_the_same_method_needs_no_check(baseline: Recipe) -> None:
    assert check_identity("a", with_changes(baseline, {"optimizer.betas": [0.8, 0.9]}), baseline).how == "same"


def test_a_method_that_is_not_what_it_declares_does_not_run(baseline: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    declared = CautiousAdamWSettings.identity
    monkeypatch.setattr(CautiousAdamWSettings, "identity", replace(declared, settings={"betas": (0.9, 0.999)}))
    with pytest.raises(InputError, match=r"arm b: does not equal adamw where it must: weights differ by"):
        check_identity("b", with_changes(baseline, {"optimizer.kind": "cautious_adamw"}), baseline)


def test_a_rule_that_left_its_trajectory_does_not_run(baseline: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MuonSettings, "identity", replace(MuonSettings.identity, settings={"momentum": 0.9}))
    with pytest.raises(InputError, match=r"arm m: does not equal its stored muon"):
        check_identity("m", with_changes(baseline, {"optimizer.kind": "muon"}), baseline)
