"""The JSON of every verb is what tests/golden/*.json hold: keys, codes and counts exactly, numbers within a tolerance.

`make golden` writes the files anew.
"""

import json
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from golden_json import MAX_DIFFERENCES, NUMPY, RESAMPLED, TORCH, differences, normalised, written

FOLDER = Path(__file__).parent
DATA = "--data texts.jsonl --no-pack --sequence-length 12"
LATER = "--after run/checkpoint-2 --method exact --verify 2"
STEP = f"--train train.jsonl {DATA} --batch-size 8"
STEP_BY = f"--train train.jsonl {DATA} --batch-size 3 --batches 2 --by domain --domain kind"

# Golden file: exit code, and the commands; the file holds what the last of them prints.
WITHOUT_TORCH = {
    "fit": (2, ["fit bend.csv line.csv short.csv missing.csv"]),
    "fit-paper": (0, ["fit bend.csv --procedure paper"]),
    "fit-forecast": (0, ["fit later.csv --forecast 12000 --forecast 50000 --level 0.9"]),
    "compare": (0, ["compare bend.csv later.csv line.csv"]),
    "compare-tokens": (0, ["compare bend.csv later.csv --axis tokens"]),
    "curves": (2, ["curves bend.csv resumed.jsonl text.log missing.csv"]),
    "explain": (0, ["explain"]),
    "watch": (0, ["watch watched.jsonl --once"]),
    "scaling": (0, ["scaling --table scaling.csv --law chinchilla --law over-training --set delta=1 --budget 1e20"]),
    "scaling-iso-flop": (0, ["scaling --table budgets.csv --law iso-flop --budget 1e20 --budget 1e24"]),
    "scaling-batches": (0, ["scaling --table batches.csv --law critical-batch --set target=2.5"]),
    "scaling-runs": (0, ["scaling 20M.csv 50M.csv 120M.csv 300M.csv 700M.csv --predict 2B"]),
    "interference": (0, ["interference losses.zarr"]),
    "interference-by-position": (0, ["interference losses.zarr --by position --pairs consecutive"]),
}
WITH_TORCH = {
    "losses": (0, [f"losses run {DATA} --domain kind --also entropy"]),
    "losses-average": (0, [f"losses run {DATA} --average last:3"]),
    "gradients": (0, [f"gradients run {DATA}"]),
    "gradients-after": (0, [f"gradients run/checkpoint-1 {DATA} {LATER}"]),
    "gradients-sampled": (0, [f"gradients run/checkpoint-2 {DATA} --train train.jsonl --method sampled --sample 64"]),
    "gradients-tied": (0, [f"gradients tied/checkpoint-2 {DATA}"]),
    "dissent": (0, [f"dissent run {DATA}"]),
    "dissent-tied": (0, [f"dissent tied/checkpoint-2 {DATA}"]),
    "step": (0, [f"step run/checkpoint-2 {STEP} --batches 2"]),
    "step-sgd": (0, [f"step run/checkpoint-2 {STEP} --batches 1 --optimizer sgd:lr=0.1,momentum=0.9"]),
    "step-by-domain": (0, [f"step run/checkpoint-2 {STEP_BY}"]),
    "branch": (0, ["branch trained@2 --branches 3 --steps 2 --sequences 32 --by position --jobs 1"]),
    "report": (0, [f"losses run {DATA}", f"gradients run {DATA}", f"dissent run {DATA}", "report run --documents 1"]),
    "data": (0, ["data texts.jsonl train.jsonl --tokenizer bytes --domain kind --held-out 0.2 --out tokens"]),
    "demo": (0, ["demo --out demo"]),
}


@pytest.mark.parametrize("name", WITHOUT_TORCH)
def test_without_torch(name, all_inputs, printed_json, request):
    tolerance = RESAMPLED if name.startswith("scaling") else NUMPY
    check(name, *WITHOUT_TORCH[name], printed_json(all_inputs, WITHOUT_TORCH[name][1]), tolerance, request.config)


@pytest.mark.parametrize("name", WITH_TORCH)
def test_with_torch(name, printed_json, request):
    pytest.importorskip("torch")
    folder = request.getfixturevalue("all_runs")
    check(name, *WITH_TORCH[name], printed_json(folder, WITH_TORCH[name][1]), TORCH, request.config)


def test_bench(request):
    """The answer of a bench that was never run: what `zerosum bench --json` prints of such results."""
    from bench_results import made_up

    from zerosum.bench.answer import answer

    result = made_up(seeds=tuple(range(6)))
    arms = tuple(arm for arm in result.arms if arm.name in ("muon", "ademamix", "placebo", "bigram"))
    document = answer([replace(result, arms=arms)]).to_json()
    check("bench", 0, ["bench"], (0, json.loads(json.dumps(document))), NUMPY, request.config)


def check(name, expected_code, commands, printed, tolerance, config):
    code, document = printed
    assert code == expected_code
    document = normalised(document, tolerance.digits)
    file = FOLDER / f"{name}.json"
    if config.getoption("--renew-golden", default=False):
        file.write_text(written(document) + "\n", encoding="utf-8")
    found = list(islice(differences(json.loads(file.read_text("utf-8")), document, tolerance), MAX_DIFFERENCES))
    assert not found, "\n".join([f"zerosum {commands[-1]} --json is not {file.name} any more:", *found])


def test_every_golden_file_belongs_to_a_command():
    assert {path.stem for path in FOLDER.glob("*.json")} == {*WITHOUT_TORCH, *WITH_TORCH, "bench"}
