"""The document scripts read: full precision, plain types, null with a reason."""

import dataclasses
import json
import math
from typing import Any

import numpy as np
import pytest

from zerosum.interference import measure
from zerosum.show import DoubleStep, Estimate, RunSummary, SuiteSummary, across_seeds, to_json

MEASURED = {"R", "D", "M", "delta_L", "harmful_share", "N", "null", "null_unit", "excess", "interval"}


@pytest.fixture
def document(three_sizes: SuiteSummary) -> dict[str, Any]:
    return to_json(three_sizes)


def test_structure_is_the_contract(document: dict[str, Any]) -> None:
    for run in document["runs"]:
        assert {"name", "n_params", "steps", "final_loss", "fit", "double", "one_step"} <= run.keys()
        assert {"L_d", "t_d", "r_d", "L_T", "L_T_hat", "rsle"} <= run["fit"].keys()
        assert "cutoffs" not in run["fit"]
        assert all({"cutoff", "t_d", "verdict"} <= row.keys() for row in run["cutoffs"])
        assert all({"from_step", "to_step"} | MEASURED <= pair.keys() for pair in run["double"])
        assert all({"step", "split"} | MEASURED <= one.keys() for one in run["one_step"])
        assert {one["split"] for one in run["one_step"]} == {"heldout", "batch"}


def test_numbers_survive_at_full_precision(document: dict[str, Any], three_sizes: SuiteSummary) -> None:
    back = json.loads(json.dumps(document, allow_nan=False))
    for run, source in zip(back["runs"], three_sizes.runs, strict=True):
        assert run["final_loss"] == source.final_loss.value
        assert run["fit"]["L_d"] == source.fit.L_d
        for pair, original in zip(run["double"], source.double, strict=True):
            assert pair["D"] == original.interference.D
            assert tuple(pair["interval"]["D"]) == original.interference.interval.D  # type: ignore[union-attr]


def test_interval_carries_its_level_units_and_method(document: dict[str, Any]) -> None:
    interval = document["runs"][0]["double"][0]["interval"]
    names = {"R", "D", "M", "delta_L", "harmful_share", "level", "n_units", "method"}
    assert interval.keys() == names
    assert (interval["level"], interval["n_units"]) == (0.95, 64)


def test_missing_interval_is_null_with_a_reason(document: dict[str, Any]) -> None:
    batch = next(one for one in document["runs"][0]["one_step"] if one["split"] == "batch")
    assert batch["interval"] is None
    assert batch["interval_reason"].startswith("16 units")


def test_not_a_number_is_null_with_a_reason(three_sizes: SuiteSummary, short_run: RunSummary) -> None:
    still = DoubleStep(1, 2, measure(np.zeros((30, 8))))
    loss = Estimate(math.nan, None, 0, "tokens", reason="no checkpoint")
    run = dataclasses.replace(short_run, double=(still,), final_loss=loss)
    document = to_json(dataclasses.replace(three_sizes, runs=(run,)))["runs"][0]
    assert document["double"][0]["D"] is None
    assert document["double"][0]["D_reason"] == "every change is zero"
    assert document["double"][0]["M"] == 0
    assert document["final_loss"] is None
    assert document["final_loss_reason"] == "no checkpoint"
    json.dumps(document, allow_nan=False)


def test_only_plain_types(three_sizes: SuiteSummary) -> None:
    odd = {"array": np.arange(2), "number": np.float32(0.5), "path": object, "bad": math.inf, 3: (True, None)}
    document = to_json(dataclasses.replace(three_sizes, provenance=odd))

    def check(value: Any) -> None:
        assert type(value) in (dict, list, str, int, float, bool, type(None)), type(value)
        for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            check(one)

    check(document)
    assert document["provenance"] == {
        "array": [0, 1],
        "number": 0.5,
        "path": str(object),
        "bad": None,
        "3": [True, None],
    }


def test_seeds_are_given_or_the_reason_is(three_sizes: SuiteSummary) -> None:
    assert to_json(three_sizes)["across_seeds"] is None
    assert "one seed" in to_json(three_sizes)["across_seeds_reason"]
    again = [dataclasses.replace(run, seed=1) for run in three_sizes.runs]
    both = dataclasses.replace(three_sizes, across_seeds=across_seeds([*three_sizes.runs, *again]))
    size = to_json(both)["across_seeds"][0]
    assert size["seeds"] == [0, 1]
    assert size["t_d_N"] == 2
    assert size["double"][0]["D_interval"] == [size["double"][0]["D"]] * 2
