"""The n-gram ladder that training writes: of the run's text, computed once for runs beside each other."""

import json

import pytest
from tiny_recipe import tiny_recipe

from zerosum.runs import NGRAMS, ngrams_of
from zerosum.training import ngrams, train
from zerosum.training.corpora.python import PythonCorpus


@pytest.fixture
def computed(monkeypatch):
    """How often a ladder was computed."""
    calls, compute = [], PythonCorpus.ngrams.func
    monkeypatch.setattr(PythonCorpus, "ngrams", property(lambda corpus: calls.append(1) or compute(corpus)))
    return calls


def write(recipe, run):
    train(recipe, run, callbacks=(ngrams.RecordNgrams(recipe, run),), on_notice=lambda notice: None)


def test_runs_beside_each_other_compute_it_once_for_the_same_data(corpus, tmp_path, computed):
    recipe = tiny_recipe(corpus, steps=1)
    write(recipe, tmp_path / "a")
    write(recipe.model_copy(update={"seed": 8}), tmp_path / "b")
    assert len(computed) == 1
    assert ngrams_of(tmp_path / "a") == ngrams_of(tmp_path / "b")
    other = recipe.data.model_copy(update={"held_out_share": 0.5})
    write(recipe.model_copy(update={"data": other}), tmp_path / "c")
    assert len(computed) == 2
    assert ngrams_of(tmp_path / "c").losses != ngrams_of(tmp_path / "a").losses


@pytest.mark.parametrize("file", [NGRAMS, "data.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"sha256": "0"}), "\0"])
def test_what_lies_beside_a_run_and_is_no_ladder_of_its_data_is_left_alone(corpus, tmp_path, computed, file, text):
    recipe = tiny_recipe(corpus, steps=1)
    write(recipe, tmp_path / "a")
    (tmp_path / "a" / file).write_text(text)
    write(recipe, tmp_path / "b")
    assert len(computed) == 2
    assert (tmp_path / "a" / file).read_text() == text
