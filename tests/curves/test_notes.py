"""Notes on what a reader changed are plain strings that carry a code."""

import copy
import json
import pickle

import numpy as np

from zerosum.curves import LossCurve, Note, clean_curve


def test_a_note_is_its_sentence_everywhere():
    note = Note("sorted", "sorted by step")
    assert note == "sorted by step"
    assert json.dumps([note]) == '["sorted by step"]'
    assert str(note) == f"{note}" == "sorted by step"
    for copied in (copy.deepcopy(note), pickle.loads(pickle.dumps(note))):  # noqa: S301
        assert (copied, copied.code) == (note, "sorted")


def test_every_note_of_cleaning_has_its_code():
    step = np.r_[1.0:101, 51.0:161]
    loss = np.where(step % 40 == 0, 0.0, 5 / step**0.1)
    tokens = np.where(step < 10, step, np.nan)
    curve = clean_curve("a", step, loss, tokens=tokens)
    assert curve.cleaning_codes == ("rows-dropped", "trained-twice", "tokens-left-out")
    assert curve.dropped == {"loss not positive": 5, "trained twice": 49}


def test_a_sentence_of_somebody_else_has_no_code_of_ours():
    curve = LossCurve("a", np.array([1.0]), np.array([2.0]), cleaning=("resumed by hand",))
    assert curve.cleaning_codes == ("other",)
