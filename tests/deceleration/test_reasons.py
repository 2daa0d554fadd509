"""Every reason: a curve that gives it, at each of its levels; and its page, which says what it means."""

import ast
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from simulated import LONG_RUN, POWER_LAW, SHORT_RUN, bent, simulated_curve, warmed_up

import zerosum.deceleration
from zerosum.curves import LossCurve, clean_curve
from zerosum.curves.grid import on_grid
from zerosum.deceleration import BNSL, fit, with_ngram_stage
from zerosum.deceleration._record import ReasonCode
from zerosum.deceleration.ngram_stage import chance
from zerosum.deceleration.reason_pages import PAGES, document

ROOM = Path(zerosum.deceleration.__file__).parent
DOCS = Path(__file__).parents[2] / "docs" / "reasons.md"


def short(**options):
    return simulated_curve(SHORT_RUN, 2_048, noise=0.01, **options)


def law(r_before, r_d, t_d, log_f=-1.2):
    return BNSL.from_rates(np.log(3.0), r_before, r_d, np.log(t_d), log_f)


def late():
    whole = simulated_curve(LONG_RUN, 50_000, noise=0.01)
    return fit(LossCurve("late", whole.step[2_000:], whole.loss[2_000:]))


def after_the_break():
    whole = simulated_curve(law(0.6, 0.05, 170.0), 5_000, noise=0.001)
    return fit(LossCurve("after", whole.step[200:], whole.loss[200:]), cutoff=0)


def parabola():
    step = np.arange(1.0, 20_000)
    return fit(LossCurve("parabola", step, np.exp(3 - 0.5 * np.log(step) + 0.02 * np.log(step) ** 2)), cutoff=10)


def transient(decay, cutoff):
    step = np.arange(1.0, 60_001)
    losses = law(0.15, 0.05, 3_000.0).predict(step) * (1 + 0.3 * np.exp(-step / decay))
    return fit(LossCurve("transient", step, losses), cutoff=cutoff)


def warm_up(end):
    return fit(replace(short(), lr=np.minimum(np.arange(1, 2_049) / end, 1.0)), cutoff=20)


def with_rate(start, end, last, phase=None):
    """The learning rate goes to a third of its peak between two steps."""
    rate = np.interp(np.arange(1, 2_049), [1, start, end, 2_048], [1.0, 1.0, last, last])
    return fit(replace(short(), lr=rate), cutoff=20, phase=phase)


def untidy():
    curve = short()
    loss = curve.loss.copy()
    loss[[900, 901, 1_500]] *= 1.4
    order = np.r_[0:1_000, 800:2_048]
    kept = order[(order < 600) | (order >= 790)]
    return fit(clean_curve("untidy", curve.step[kept], loss[kept]), cutoff=20)


def diverged():
    curve = short()
    return fit(clean_curve("diverged", curve.step, np.where(curve.step < 1_500, curve.loss, np.nan)), cutoff=20)


def with_gap():
    curve = simulated_curve(SHORT_RUN, 2_048, noise=0.005)
    kept = (curve.step < 130) | (curve.step > 240)
    return fit(LossCurve("gap", curve.step[kept], curve.loss[kept]), cutoff=20)


def above_a_floor():
    step = np.unique(np.geomspace(1, 20_000, 400).round())
    return fit(LossCurve("floor", step, 2.0 + np.exp(4.0) * step**-0.8), models=True)


def thinned(procedure):
    curve = simulated_curve(LONG_RUN, 50_000)
    kept = on_grid(curve.step)
    return fit(LossCurve("thinned", curve.step[kept], curve.loss[kept]), procedure=procedure)


def kink(lr):
    curve = simulated_curve(law(0.3, 0.1, 300.0, -7.0), 5_000, noise=0.001)
    return fit(replace(curve, lr=np.full(5_000, 3e-4) if lr else None))


def with_cosine():
    """A power law, lower by up to 8 % the lower the learning rate is."""
    step = np.arange(1.0, 10_001)
    share = 0.55 + 0.45 * np.cos(np.pi * step / 10_000)
    plain = simulated_curve(POWER_LAW, 10_000, noise=0.005)
    return fit(replace(plain, loss=plain.loss * (1 - 0.08 * (1 - share)), lr=3e-4 * share))


def flattens():
    step = np.arange(1.0, 10_001)
    noise = np.exp(0.015 * np.random.default_rng(0).normal(size=10_000))
    return fit(LossCurve("flattens", step, (3 + 7 * np.exp(-step / 1_500)) * noise))


def falls_to_a_floor(models):
    step = np.unique(np.geomspace(1, 20_000, 400).round())
    return fit(LossCurve("floor", step, 2.0 + 30.0 * step**-0.5), models=models)


def with_zeros():
    curve = simulated_curve(SHORT_RUN, 3_000, noise=0.01)
    return fit(clean_curve("zeros", curve.step, np.where(curve.step % 10 == 0, 0.0, curve.loss)), cutoff=20)


def at_a_rung(factor):
    found = fit(short(), cutoff=20)
    return with_ngram_stage(found, {"unigram": 9.0, "bigram": factor * found.L_d, "trigram": 0.5})


def three_stages():
    return fit(bent((0.08, 0.33, 0.08), (600.0, 1_900.0), np.geomspace(1, 20_000, 160)))


def few_before():
    return fit(bent((0.3, 0.06), (700.0,), np.arange(200.0, 60_000, 200)))


CASES = {
    ("too-few-points", "blocking"): lambda: fit(simulated_curve(LONG_RUN, 50_000, every=1_000), cutoff=0),
    ("starts-too-late", "blocking"): late,
    ("range-too-short", "blocking"): lambda: fit(simulated_curve(POWER_LAW, 256, noise=0.015, seed=0), cutoff=30),
    ("break-not-shown", "blocking"): lambda: fit(simulated_curve(POWER_LAW, 5_000, noise=0.01)),
    ("power-law-suffices", "note"): lambda: fit(simulated_curve(POWER_LAW, 5_000)),
    ("bends-more-than-once", "blocking"): three_stages,
    ("break-at-edge", "blocking"): lambda: fit(simulated_curve(SHORT_RUN, 400, noise=0.001), cutoff=20),
    ("side-not-measured", "blocking"): few_before,
    ("break-below-cutoff", "blocking"): lambda: fit(simulated_curve(law(0.25, 0.04, 60.0, -1.9), 10_000, noise=0.015)),
    ("break-not-located", "note"): lambda: falls_to_a_floor(models=False),
    ("turns-back", "blocking"): flattens,
    ("width-at-bound", "blocking"): parabola,
    ("width-at-bound", "note"): lambda: kink(lr=True),
    ("unstable-cutoff", "blocking"): lambda: transient(60.0, 50),
    ("unstable-cutoff", "note"): lambda: transient(100.0, 100),
    ("warm-up", "blocking"): lambda: warm_up(400),
    ("warm-up", "note"): lambda: warm_up(10),
    ("cooldown", "blocking"): with_cosine,
    ("cooldown", "note"): lambda: with_rate(1_500, 2_048, 0.1),
    ("step-down", "blocking"): lambda: with_rate(180, 181, 0.3, phase="whole"),
    ("step-down", "note"): lambda: with_rate(1_500, 1_501, 0.3),
    ("rate-not-logged", "blocking"): lambda: fit(warmed_up(700)),
    ("rate-not-logged", "note"): lambda: fit(simulated_curve(LONG_RUN, 50_000, noise=0.01)),
    ("not-a-cross-entropy", "blocking"): with_zeros,
    ("loss-rises", "note"): lambda: fit(simulated_curve(BNSL(3.0, -0.05, 0.0, 300.0, 0.3), 5_000, noise=0.01)),
    ("gap", "blocking"): with_gap,
    ("gap", "note"): untidy,
    ("resumed", "note"): untidy,
    ("diverged", "note"): diverged,
    ("spikes", "note"): untidy,
    ("another-model-preferred", "blocking"): lambda: falls_to_a_floor(models=True),
    ("another-model-preferred", "note"): above_a_floor,
    ("already-smoothed", "note"): lambda: thinned("robust"),
    ("published-start-fails", "note"): lambda: fit(short(), procedure="paper", cutoff=20),
    ("covariance-errors", "note"): lambda: thinned("paper"),
    ("n-gram-stage", "note"): lambda: at_a_rung(1.03),
}


def said(message):
    """The words, whatever the numbers."""
    return re.sub(r"\d[\d.,e+-]*", "#", message)


@pytest.fixture(scope="module")
def reasons():
    """(code, level) -> messages, of the curve that is to give it."""
    found = {}
    for case, made in CASES.items():
        found[case] = [reason.message for reason in made().reasons if (reason.code, reason.level) == case]
    return found


def test_every_code_has_one_page_and_every_level_a_curve():
    assert [page.code for page in PAGES] == list(get_args(ReasonCode))
    assert [(page.code, level) for page in PAGES for level in page.examples] == list(CASES)


def test_codes_in_use_are_those_with_a_page():
    """Every code is written out somewhere in the checks; that nothing else is, the type of `Reason.code` ensures."""
    texts = set()
    for path in ROOM.glob("*.py"):
        if path.name != "_record.py" and "page" not in path.name:
            texts |= {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    assert set(get_args(ReasonCode)) <= texts


@pytest.mark.parametrize(("code", "level"), CASES)
def test_a_curve_gives_the_reason_in_the_words_of_its_page(reasons, code, level):
    page = next(page for page in PAGES if page.code == code)
    assert said(page.examples[level]) in [said(message) for message in reasons[code, level]]


@pytest.mark.parametrize(
    ("made", "code", "words"),
    [
        (after_the_break, "starts-too-late", "starts after the break"),
        (after_the_break, "break-at-edge", "A log from an earlier step"),
        (lambda: fit(simulated_curve(SHORT_RUN, 20_000, noise=0.001), cutoff=140), "break-at-edge", "Lower the cut"),
        (lambda: with_rate(1_500, 2_048, 0.1, phase="whole"), "cooldown", "runs through it"),
        (lambda: fit(simulated_curve(law(0.1, 0.3, 200.0), 3_000, noise=0.01)), "rate-not-logged", "faster after"),
        (lambda: kink(lr=False), "width-at-bound", "no learning rate was logged"),
    ],
)
def test_other_words_of_the_same_reason(made, code, words):
    found = made()
    assert any(words in reason.message for reason in found.reasons if reason.code == code), found.reasons


@pytest.mark.parametrize(("factor", "is_noted"), [(0.96, True), (1.05, True), (1.06, False), (0.95, False)])
def test_a_rung_is_noted_within_5_percent_of_it_and_only_where_there_is_a_break(factor, is_noted):
    found = at_a_rung(factor)
    assert (found.reasons[-1].code == "n-gram-stage") is is_noted
    assert (found.verdict, found.has_break) == ("decelerates", True)
    line = fit(simulated_curve(POWER_LAW, 5_000))
    assert with_ngram_stage(line, {"bigram": line.L_d}) is line
    assert with_ngram_stage(found, {}) is found


def test_the_note_on_a_rung_says_how_often_chance_gives_it():
    """Against losses spread evenly in their logarithm."""
    for losses in ([3.33, 2.57, 1.94, 1.53], [2.0, 2.05, 4.0], [1.0, 1.2]):
        spread = np.geomspace(min(losses), max(losses), 20_001)
        near = np.min([abs(spread / loss - 1) for loss in losses], axis=0) <= 0.05
        assert chance(losses) == pytest.approx(near.mean(), abs=1e-3)
    assert np.isnan(chance([2.0, 2.0]))
    assert f"{100 * chance([9.0, 0.5, at_a_rung(1.0).L_d]):.0f} % of the losses" in at_a_rung(1.0).reasons[-1].message


def test_the_page_of_the_documentation_is_this_one():
    write = "python -c 'from zerosum.deceleration.reason_pages import document; print(document(), end=str())'"
    assert DOCS.read_text() == document(), f"write it again: {write} > docs/reasons.md"


def test_every_page_is_complete_and_links_to_itself():
    whole = document()
    for page in PAGES:
        assert min(len(page.means), len(page.measured), len(page.remedy)) > 10
        assert whole.count(f"(#{page.code})") == whole.count(f"\n## {page.code}\n") == 1
