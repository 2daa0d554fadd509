"""An objective, an aggregator, a schedule and a source of data are one new file each: recipes and verbs know them."""

import json
import math

RECIPE = """
name: toys
steps: 4
model: {hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 24}
batch: {sequences: 8, length: 8, passes: 2}
data: {kind: counting}
objective: {kind: every_second, first: 1}
aggregator: {kind: lottery, groups: 2, by: domains}
schedule: {kind: halving, every: 2, warmup_steps: 0}
optimizer: {kind: sgd, lr: 0.5}
held_out: 4
"""
PLACES = {
    "objective": "training/objectives/every_second.py",
    "aggregator": "training/aggregators/lottery.py",
    "schedule": "training/schedules/halving.py",
    "corpus": "training/corpora/counting.py",
}
PROGRAM = """
import sys
from pathlib import Path
import yaml
from zerosum.checkpoints import load_model
from zerosum.training import Recipe, train
from zerosum.training.replay.updater import find_updater

recipe = Recipe.model_validate(yaml.safe_load(Path(sys.argv[1]).read_text()))
train(recipe, sys.argv[2])
assert Recipe.load(Path(sys.argv[2]) / "recipe.yaml") == recipe
checkpoint = Path(sys.argv[2]) / "checkpoint-2"
rule = find_updater(checkpoint, load_model(checkpoint)).rule  # as `zerosum step` repeats the step
assert (rule.objective, rule.aggregator) == (recipe.objective, recipe.aggregator)
"""


def test_four_files_make_the_parts_of_a_recipe(house, tmp_path):
    recipe, run = tmp_path / "toys.yaml", tmp_path / "run"
    recipe.write_text(RECIPE)
    for toy, place in PLACES.items():
        house.add(f"{toy}.py", place)
    house.python("-c", PROGRAM, recipe, run)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["lr"] for row in rows] == [0.5, 0.5, 0.25, 0.25]
    assert all(row["objective"] != row["loss"] for row in rows)
    assert [row["n_groups"] for row in rows] == [2, 2, 2, 2]
    assert rows[-1]["held_out_loss"] < math.log(257)
    assert json.loads((run / "data.json").read_text()) == {"rows": "count upwards"}
