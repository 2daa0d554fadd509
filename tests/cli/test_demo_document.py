"""The document that `zerosum demo --json` prints: full precision, plain types, null with a reason."""

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from zerosum.cli._demo_runs import document
from zerosum.comparison import OneSeed, across_seeds
from zerosum.curves import LossCurve
from zerosum.deceleration import Analysis, fit
from zerosum.estimate import Estimate
from zerosum.interference import measure
from zerosum.interference.labelled import (
    Changes,
    CheckpointLoss,
    NoiseFloor,
    OneStep,
    PairInterference,
    StoreFindings,
    StoreInterference,
)
from zerosum.runs import RunFacts
from zerosum.show.report import Report, Run

MEASURED = {"R", "D", "M", "delta_L", "harmful_share", "N", "null", "null_unit", "excess", "interval"}


@pytest.fixture(scope="module")
def analysis():
    step = np.arange(1.0, 1025)
    loss = 3.0 * (step / 100) ** -0.3 * (1 + (step / 100) ** 4) ** 0.05
    curve = LossCurve("a", step, loss * np.exp(np.random.default_rng(0).normal(0, 0.01, 1024)), source="none")
    return Analysis(fit(curve), (), ())


def run_of(analysis, loss=None, changes=None, seed=0):
    rng = np.random.default_rng(seed)
    changes = rng.normal(-1, 1, (64, 8)) if changes is None else changes
    pair = PairInterference(1, 2, measure(changes), "sequence", 0, NoiseFloor(0.0, 0.0, None), None)
    batch = OneStep(1, "batch", Changes(2.0, "sequence", measure(rng.normal(-1, 1, (16, 8)))))
    loss = loss or Estimate(2.0, (1.9, 2.1), N=512, of="tokens", method="bootstrap")
    findings = StoreFindings(
        StoreInterference((pair,), (1024,), (), (), {}, (), None),
        one_steps=(batch,),
        mean_losses=(CheckpointLoss(1024, 1e6, loss, None),),
    )
    return Run("a", (RunFacts(100, 1024, 64), analysis, findings), seed)


def test_structure_is_the_contract(analysis):
    made = document(Report("demo", (run_of(analysis),), provenance={"seeds": [0]}))
    assert made.keys() == {"title", "runs", "across_seeds", "across_seeds_reason", "provenance"}
    (run,) = made["runs"]
    assert {"name", "n_params", "seed", "steps", "tokens_per_step", "final_loss", "fit", "unpaired"} <= run.keys()
    assert {"L_d", "t_d", "r_d", "L_T", "L_T_hat", "rsle"} <= run["fit"].keys()
    assert "cutoffs" not in run["fit"]
    assert all({"cutoff", "t_d", "n_bins"} <= row.keys() for row in run["cutoffs"])
    assert all({"from_step", "to_step"} | MEASURED <= pair.keys() for pair in run["double"])
    assert all({"step", "split"} | MEASURED <= one.keys() for one in run["one_step"])


def test_numbers_survive_at_full_precision(analysis):
    run = run_of(analysis)
    (back,) = json.loads(json.dumps(document(Report("demo", (run,))), allow_nan=False))["runs"]
    pair = run.records[2].found.pairs[0].measured
    assert back["final_loss"] == 2.0
    assert back["final_loss_interval"] == [1.9, 2.1]
    assert back["fit"]["L_d"] == analysis.fit.L_d
    assert back["double"][0]["D"] == pair.D
    assert tuple(back["double"][0]["interval"]["D"]) == pair.interval.D


def test_the_cutoffs_are_those_of_the_fit(analysis):
    (run,) = document(Report("demo", (run_of(analysis),)))["runs"]
    assert run["cutoffs"] == [row.to_json() for row in analysis.fit.cutoffs]
    assert run["fit"]["cutoff"] == analysis.fit.cutoff


def test_an_interval_carries_its_level_units_and_method_or_the_reason(analysis):
    (run,) = document(Report("demo", (run_of(analysis),)))["runs"]
    interval = run["double"][0]["interval"]
    assert interval.keys() == {"R", "D", "M", "delta_L", "harmful_share", "level", "n_units", "method"}
    assert (interval["level"], interval["n_units"]) == (0.95, 64)
    (batch,) = run["one_step"]
    assert batch["interval"] is None
    assert batch["interval_reason"].startswith("16 units")


def test_not_a_number_is_null_with_a_reason(analysis):
    unknown = Estimate(math.nan, reason="no checkpoint", N=0, of="tokens")
    made = document(Report("demo", (run_of(analysis, unknown, np.zeros((30, 8))),)))
    (run,) = made["runs"]
    assert run["double"][0]["D"] is None
    assert run["double"][0]["D_reason"] == "every change is zero"
    assert run["double"][0]["M"] == 0
    assert run["final_loss"] is None
    assert run["final_loss_reason"] == "no checkpoint"
    json.dumps(made, allow_nan=False)


def test_seeds_are_given_or_the_reason_is(analysis):
    runs = tuple(run_of(analysis, seed=seed) for seed in (0, 1))
    alone = document(Report("demo", runs[:1]))
    assert alone["across_seeds"] is None
    assert "one seed" in alone["across_seeds_reason"]
    sizes = across_seeds([OneSeed("a", 100, seed, analysis.fit, 2.0, {(1, 2): 0.25}) for seed in (0, 1)])
    (size,) = document(Report("demo", runs, shared=sizes))["across_seeds"]
    assert size["seeds"] == [0, 1]
    assert size["t_d_N"] == 2
    assert size["double"][0]["D_interval"] == [0.25, 0.25]


def test_odd_characters_are_escaped_as_by_every_verb(analysis, capsys):
    from zerosum.cli.sources import print_document

    named = dataclasses.replace(run_of(analysis), name="名\ud800\x1b[31m")
    print_document(document(Report("demo", (named,))))
    printed = capsys.readouterr().out
    assert printed.isascii()
    assert json.loads(printed)["runs"][0]["name"] == "名\ufffd\x1b[31m"


def test_the_folder_of_a_run_never_leads_out_of_the_demo(tmp_path):
    from zerosum.cli._demo_runs import run_folder

    recipe = SimpleNamespace(name="../../etc <b>", seed=3)
    assert run_folder(tmp_path, recipe) == tmp_path / "-etc-b--seed3"
