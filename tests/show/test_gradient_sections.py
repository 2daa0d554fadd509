"""Sentences and tables on per-token gradients say what the records say."""

from dataclasses import replace

import numpy as np
import pytest
from gradient_records import EXACT, STEPS, as_proxy, changes, noise, over, record, records, report, unknown

from zerosum.estimate import Estimate
from zerosum.gradients import GradientInterference
from zerosum.gradients.over_training import TokenChanges, prediction
from zerosum.show import terminal
from zerosum.show.report import Report, Run
from zerosum.show.section import left_out, present
from zerosum.show.sections import (
    _gradient_words,
    gradient_factors,
    gradient_first_order,
    gradient_halvings,
    gradient_opposition,
    gradient_parts,
    gradients,
    noise_scale,
)
from zerosum.show.sections.noise_scale import COMPARISONS
from zerosum.show.table import as_frame, on_page

STEMS = [
    *("gradients", "gradient-opposition", "noise-scale"),
    *(f"gradient-{one}" for one in ("factors", "first-order", "parts", "halvings")),
]


@pytest.fixture(scope="module")
def whole():
    return over([record(step, pair=changes(seed=k)) for k, step in enumerate(STEPS)])


def named(section, given, name):
    """The table of that name that people see."""
    return next(one for one in section.tables(report(given)) if one.name == name and one.shown_on("page")[0])


def test_every_section_is_shown_in_its_place(whole):
    assert [one.stem for one in present(report(whole))] == STEMS


def test_tables_have_all_numbers_and_reasons(whole):
    cells = on_page(named(gradients, whole, "checkpoints"))
    assert [row[0].main for row in cells] == [f"{step:,}" for step in STEPS]
    assert cells[-1][2].main == "0.930"
    assert cells[0][7].below.startswith("[0.5")
    names = ("D_grad", "D_grad_matrices", "C_g", "C_ug", "C_uG")
    assert gradients.without_interval(whole) == [f"{', '.join(names)}: {EXACT}"]
    layers = on_page(named(gradient_parts, whole, "layers"))
    assert {row[-1].note for row in layers if row[-1].main == "—"} == {
        "embedding and head are left out",
        "not within these checkpoints",
    }
    (halvings,) = gradient_halvings.tables(report(whole))
    assert as_frame(halvings).halved_at_step.dropna().is_monotonic_increasing
    (first_order,) = gradient_first_order.tables(report(whole))
    assert len(first_order.rows) == len(STEPS)


def test_without_an_update_its_columns_are_left_out():
    given = records(update=False)
    heads = [one.head or one.name for one in named(gradients, given, "checkpoints").shown_on("page")[0]]
    assert heads == ["Step", "N", "D_grad", "D_grad_matrices"]
    heads = [one.head or one.name for one in named(gradient_parts, given, "layers").shown_on("page")[0]]
    assert heads[2:] == ["D_grad", "Agreement halved"]
    text = " ".join(sentence for one in present(report(given)) for sentence in one.sentences(report(given)))
    assert "C_g" not in text
    assert dict(left_out(report(given))) == {
        gradient_factors.TITLE: "no update was given",
        gradient_first_order.TITLE: "no update was given",
    }


def test_the_headline_has_N_coordinates_and_how_sure_it_is():
    one = record(4096)
    touched = sum(parameter.touched for parameter in one.parameters if parameter.kind in ("matrix", "norm"))
    text = gradients.cancels(one).replace("\xa0", " ")
    for part in ("step 4,096", "93 % ", f"{touched:,} coordinates of matrices and norms", "N = 20,000 tokens", "exact"):
        assert part in text, part
    sampled = replace(one, n_sampled=256, D_grad=0.931, intervals={"D_grad": (0.92, 0.94)})
    text = gradients.cancels(sampled).replace("\xa0", " ")
    for part in ("93.1 % [92.0, 94.0] of the gradient", "256 were formed", "95 % interval for the draw of the sample"):
        assert part in text, part
    bare = gradients.cancels(replace(one, n_sampled=256, interval_reasons={"D_grad": "<b>"}))
    assert "exact" not in bare
    assert "no interval: <b>" in bare
    assert "positionwise proxy" in gradients.cancels(as_proxy(record(1)))
    assert "not known: nothing is touched" in gradients.cancels(unknown(record(1), "D_grad"))


def test_overlapping_intervals_claim_no_change():
    given = [replace(one, intervals={"D_grad": (0.3, 0.5)}) for one in records(steps=(1, 2))]
    text = gradient_opposition.change_in_D(over(given))
    assert "no change is claimed" in text
    assert "rose" not in text


def test_a_change_too_small_to_be_written_is_none():
    given = [replace(one, D_grad=D) for one, D in zip(records(steps=(1, 2)), (0.81234, 0.81236), strict=True)]
    assert gradient_opposition.change_in_D(over(given)) == "From step 1 to 2 D_grad stayed at 0.812."


def test_the_factor_named_is_the_one_that_changed_more(whole):
    text = gradient_factors.change_in_factors(whole)
    first, last = whole.checkpoints[0], whole.checkpoints[-1]
    assert f"C_g (tokens agree) by {last.C_g / first.C_g:.2g} times" in text
    assert "most of it is C_g" in text
    assert "names no cause" in text


def test_a_prediction_worse_than_the_mean_is_said_to_be_one():
    x, _ = changes()
    assert "worse than their mean would" in gradient_first_order.explained(prediction(TokenChanges.of(x, -x)))


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "50 %"), (0.9987, "99.87 %"), (0.99996, "99.9960 %"), (1.0, "100 %")]
)
def test_a_share_near_one_is_not_rounded_to_all(value, text):
    assert _gradient_words.percent(Estimate(value)).replace("\xa0", " ") == text


def test_checkpoints_that_are_not_compared_are_named():
    several = [*records(steps=(1, 2, 4)), *records(steps=(8, 16), N=512)]
    several += map(as_proxy, records(steps=(1, 2, 4, 8, 16)))
    text = _gradient_words.not_compared(over(several))
    assert "of another N or of another method: steps 1, 2, 4, 8, 8, 16 and 1 more" in text
    assert _gradient_words.not_compared(over(several[:3])) == ""


def test_how_many_units_intervals_resample_is_in_the_caption():
    def caption(given):
        return named(gradients, given, "checkpoints").caption

    given = records(steps=(1, 4), units="document")
    assert caption(given) == "Every checkpoint (intervals of D over 100 documents)"
    bare = [replace(one, first_order=replace(one.first_order, interval=None)) for one in given]
    assert caption(bare) == "Every checkpoint"


def test_every_note_once_and_of_which_checkpoints():
    given = [record(1, notes=("a",)), record(2, notes=("a", "b")), record(4, notes=("a", "b"))]
    assert gradients.notes(given) == ["a", "steps 2, 4: b"]


def test_one_checkpoint_leaves_out_what_is_about_several():
    why = dict(left_out(report([record(512, pair=changes(30, 20))])))
    assert set(why) == {gradient_opposition.TITLE, gradient_factors.TITLE, gradient_halvings.TITLE}
    assert all("one checkpoint was measured" in reason for reason in why.values())


def test_sections_without_their_numbers_say_why():
    nothing = [
        replace(unknown(one, "D_grad", "D_grad_matrices", why="<i>"), parameters=(), layers=())
        for one in records(steps=(1, 2))
    ]
    why = dict(left_out(report(nothing)))
    assert why[gradient_opposition.TITLE] == "<i>"
    assert set(why) == {
        *(one.TITLE for one in (gradient_opposition, gradient_first_order, gradient_parts, gradient_halvings))
    }
    other_N = dict(left_out(report([record(1), record(2, N=512)])))
    assert "no two checkpoints" in other_N[gradient_halvings.TITLE]


def test_several_runs_are_referred_to_pages_of_their_own():
    runs = tuple(Run(name, (over(records()),)) for name in "ab")
    both = Report("both", runs)
    assert not [one for one in present(both) if one.stem in STEMS]
    assert [why[0] for title, why in left_out(both) if title == gradients.TITLE] == ["2"]
    assert not [one for one in left_out(Report("none", (Run("a"),))) if "radient" in one[0]]


def test_what_bfloat16_costs_and_tokens_verified_are_said():
    from zerosum.gradients import DtypeError, Verified

    given = record(
        4,
        dtype="bfloat16",
        dtype_error=DtypeError(16, 0.01, 0.002, -3e-4),
        verified=Verified(3, 1e-6, 2e-6, np.nan, 5e-5),
    )
    rows = dict(named(gradients, [given], "how-measured").rows)
    assert "16 tokens" in rows["precision"]
    assert "D_grad by -0.0003" in rows["precision"]
    assert "3 tokens" in rows["verified"]
    assert "sums of sizes by 1e-06" in rows["verified"]
    assert "sum |p|" not in rows["verified"]


def test_a_record_prints_its_answer_in_a_dozen_lines(whole):
    for one in (whole, whole.last, replace(whole.last, step=None)):
        text = repr(one)
        assert len(text.splitlines()) <= 12
        assert "of the gradient cancels between tokens" in text
        assert isinstance(one, GradientInterference) == ("D_grad_matrices" in text)
    assert len(whole.table()) == len(STEPS)
    assert whole.plot().axes
    assert whole.last.plot().axes


def test_details_repeat_nothing_of_the_answer(whole, capsys):
    terminal.show(report(whole), details=True)
    text = " ".join(capsys.readouterr().out.split())
    for sentence in (gradients.cancels(whole.last), gradient_opposition.change_in_D(whole)):
        assert text.count(" ".join(sentence.split())) == 1
    assert gradient_factors.TITLE in text
    assert "for scripts" not in text


def test_the_noise_scale_stands_beside_the_batch_and_what_D_says():
    given = records(steps=(1, 8, 64))
    text = " ".join(noise_scale.sentences(report(given)))
    assert "the gradient noise scale is 3,250" in text
    assert "a batch of this run has 1,000, so most of each step is noise" in text
    assert "noise alone gives 50 %. Groups: 100 sequences of 200 tokens" in text
    assert COMPARISONS[given[-1].noise.compared(given[-1].D_grad)] in text
    rows = noise_scale.numbers(report(given))
    assert [row["conflict_rate_null"] for row in rows] == [0.5] * 3
    noise_scale.plot(report(given))


def test_a_noise_scale_that_is_hidden_or_was_not_measured_says_so():
    hidden = [replace(one, noise=noise(one.step, one.N, at_least=900.0)) for one in records(steps=(1, 8))]
    assert "at least 900 tokens" in " ".join(noise_scale.sentences(report(hidden)))
    noise_scale.plot(report(hidden))
    older = [replace(one, noise=None) for one in records(steps=(1, 8))]
    assert "zerosum gradients RUN" in dict(left_out(report(older)))[noise_scale.TITLE]


def test_among_several_runs_the_one_that_was_measured_is_named(whole):
    alone = report(whole)
    among = replace(alone, runs=(*alone.runs, Run("larger")))
    named_run = among.labels[0]
    for section, other in zip(present(among), present(alone), strict=True):
        assert section.title_in(among) == f"{other.title_in(alone)}: {named_run}"
        if text := section.headline(alone):
            assert section.headline(among) == f"{named_run}: {text}"
