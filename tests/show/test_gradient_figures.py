"""Figures of per-token gradients draw what their numbers say, cut nothing off, and join nothing that may not be."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from gradient_records import HOSTILE, STEPS, TYPES, as_proxy, changes, record, records, report, unknown
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.patches import PathPatch

from zerosum.gradients.over_training import binned, changes_of
from zerosum.show.drawing import Layout
from zerosum.show.drawing.style import PAPER, SERIES
from zerosum.show.section import left_out, present
from zerosum.show.sections import (
    gradient_factors,
    gradient_first_order,
    gradient_halvings,
    gradient_opposition,
    gradient_parts,
)

FIGURES = (gradient_opposition, gradient_factors, gradient_first_order, gradient_parts, gradient_halvings)


def with_changes(given):
    """The report on these checkpoints, each with changes of its tokens."""
    pairs = [changes(40, 60, seed=k) for k in range(len(given))]
    per_token = [dict(zip(("first_order", "loss_change"), pair, strict=True)) for pair in pairs]
    return report([replace(one, per_token=values) for one, values in zip(given, per_token, strict=True)])


def numbers(section, given):
    return pd.DataFrame(section.numbers(given))


@pytest.fixture(scope="module")
def plain():
    return with_changes(records())


@pytest.fixture(scope="module")
def mixed():
    """Token gradients over two N, and a proxy."""
    given = [*records(steps=STEPS[:4], N=512), *records(steps=STEPS[4:])]
    return with_changes([*given, *map(as_proxy, records(steps=STEPS[5:]))])


@pytest.fixture(scope="module")
def long_names():
    types = tuple(f"{HOSTILE}$x${'long' * 13}{k}" for k in range(8))
    return with_changes(records(steps=(0, 10, 100, 1000), types=types, prefix="a" * 70 + ".<b>"))


@pytest.fixture(scope="module")
def deep():
    return with_changes(records(steps=(1, 10, 100, 1000), layers=48))


def drawn(fig):
    canvas = FigureCanvasAgg(fig)
    canvas.draw()
    return canvas.get_renderer()


@pytest.mark.parametrize("section", FIGURES)
@pytest.mark.parametrize(
    ("case", "layout"),
    [
        pytest.param(case, layout, marks=() if case == "long_names" or layout == "narrow" else pytest.mark.long)
        for case in ("plain", "mixed", "long_names", "deep")
        for layout in get_args(Layout)
    ],
)
def test_nothing_is_cut_off_and_a_legend_covers_no_panel(request, case, section, layout):
    given = request.getfixturevalue(case)
    fig = section.plot(given, layout)
    renderer = drawn(fig)
    box = fig.get_tightbbox(renderer)  # inches
    width, height = fig.get_size_inches()
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    assert len(section.alt(given)) > 100
    assert len(fig.legends) == 1 or case not in ("mixed", "long_names")
    for legend in fig.legends:
        box = legend.get_window_extent(renderer)
        assert not any(box.overlaps(ax.get_tightbbox(renderer)) for ax in fig.axes if ax.get_visible())


def test_both_oppositions_are_drawn_as_the_table_has_them(plain):
    table = numbers(gradient_opposition, plain)
    whole, rest = gradient_opposition.plot(plain).axes
    for name, (colour, _) in gradient_opposition.LOOKS.items():
        (line,) = (one for one in whole.lines if one.get_color() == SERIES[colour])
        assert np.array_equal(line.get_xydata(), table[["step", name]].to_numpy())
        (line,) = (one for one in rest.lines if one.get_color() == SERIES[colour])
        assert line.get_ydata() == pytest.approx(1 - table[name].to_numpy())
    assert (whole.get_xscale(), rest.get_yscale()) == ("symlog", "log")
    assert 0 in whole.get_xticks()


def test_intervals_are_bands_and_a_missing_number_is_a_gap():
    first, second, third = records(steps=(1, 10, 100))
    first = replace(first, intervals={"D_grad": (0.3, 0.5)})
    ax = gradient_opposition.plot(report([first, unknown(second, "D_grad"), third])).axes[0]
    ends = [piece for one in ax.collections if hasattr(one, "get_segments") for piece in one.get_segments()]
    assert [piece.tolist() for piece in ends if len(piece)] == [[[1.0, 0.3], [1.0, 0.5]]]
    (line,) = (one for one in ax.lines if one.get_color() == SERIES[0])
    assert np.isnan(line.get_ydata()).tolist() == [False, True, False]


@pytest.mark.parametrize("section", [gradient_opposition, gradient_factors])
def test_no_line_joins_different_N_or_a_proxy_with_token_gradients(mixed, section):
    fig = section.plot(mixed)
    several = mixed.runs[0].records[0].comparable
    sets = [tuple(float(one.step) for one in line.checkpoints) for line in several]
    for ax in fig.axes:
        lines = [one for one in ax.lines if one.get_marker() not in ("None", "")]
        assert {tuple(one.get_xdata()) for one in lines} == set(sets)
        hollow = {tuple(one.get_xdata()) for one in lines if one.get_markerfacecolor() == PAPER}
        assert hollow == {sets[2]}
        assert [one.get_marker() for one in lines if one.get_markerfacecolor() == PAPER]
    assert any("proxy" in text.get_text() for text in fig.legends[0].get_texts())
    above = " ".join(fig.get_suptitle().split())
    assert "cannot be compared" in above
    assert "are not of single tokens' gradients" in above


def test_heights_of_the_factors_add_up_to_what_is_left(plain):
    C, ratio, left = gradient_factors.plot(plain).axes
    values = [ax.lines[0].get_ydata() for ax in (C, ratio, left)]
    assert values[0] * values[1] == pytest.approx(values[2], rel=1e-9)
    assert C.get_ylim() == ratio.get_ylim() == left.get_ylim()
    table = numbers(gradient_factors, plain)
    assert values[2] == pytest.approx(1 - table.D_first_order.to_numpy())
    assert table.C_uG_over_C_ug.to_numpy() == pytest.approx((table.C_uG / table.C_ug).to_numpy())


def test_an_interval_of_C_ug_is_turned_round_in_the_factor():
    given = replace(record(1), intervals={"C_ug": (0.05, 0.2)})
    assert gradient_factors.ratio(given).interval == pytest.approx((given.C_uG / 0.2, given.C_uG / 0.05))


def test_all_that_cancels_leaves_nothing_to_draw():
    given = records(steps=(1, 10, 100))
    given[1] = replace(given[1], first_order=replace(given[1].first_order, D=1.0))
    ax = gradient_factors.plot(report(given)).axes[2]
    triangles = next(line for line in ax.lines if line.get_marker() == "^")
    assert np.isnan(triangles.get_ydata()).tolist() == [False, True, False]


def test_first_middle_and_last_checkpoint_are_shown_with_all_their_tokens(plain):
    table = numbers(gradient_first_order, plain)
    assert table.step.unique().tolist() == [STEPS[0], STEPS[len(STEPS) // 2], STEPS[-1]]
    assert table.groupby("step").tokens.sum().tolist() == [40 * 60 - 1] * 3
    fig = gradient_first_order.plot(plain)
    assert [ax.get_title("left").splitlines()[0] for ax in fig.axes] == [
        f"step {step:,} (N = 2,399 tokens)" for step in table.step.unique()
    ]


def test_each_shade_covers_the_fields_with_its_counts(plain):
    ax = gradient_first_order.plot(plain).axes[2]
    checkpoints = plain.runs[0].records[0]
    bins = binned(changes_of(checkpoints.last), gradient_first_order.BINS["wide"])
    most = max(int(binned(one, 48).count.max()) for _, one in gradient_first_order.shown(checkpoints))
    starts = gradient_first_order.levels(most)
    middles = (bins.edges[:-1] + bins.edges[1:]) / 2
    places = np.array([(a, b) for a in middles for b in middles])
    paths = [one for one in ax.patches if isinstance(one, PathPatch)]
    for patch in paths:
        k = gradient_first_order.SHADES.index(patch.get_alpha())
        stop = starts[k + 1] if k + 1 < len(starts) else np.inf
        inside = np.zeros(len(places), dtype=bool)
        for box in patch.get_path().to_polygons():
            inside |= np.all((places > box.min(axis=0)) & (places < box.max(axis=0)), axis=1)
        wanted = (bins.count >= starts[k]) & (bins.count < stop)
        assert np.array_equal(inside, wanted.ravel())
    assert len(paths) >= 4


def test_axes_of_both_changes_are_alike(plain):
    for ax in gradient_first_order.plot(plain).axes:
        assert ax.get_xlim() == ax.get_ylim() == pytest.approx((-ax.get_xlim()[1], ax.get_xlim()[1]))
        assert ax.get_xscale() == ax.get_yscale() == "asinh"
        assert ax.get_xticks().tolist() == ax.get_yticks().tolist()
        diagonal = ax.lines[0].get_xydata()
        assert np.array_equal(diagonal[:, 0], diagonal[:, 1])


def test_even_changes_have_linear_axes():
    x, y = np.random.default_rng(0).uniform(-1, 1, (2, 400))
    given = record(1, pair=(x.reshape(20, 20), y.reshape(20, 20)))
    assert gradient_first_order.plot(report([given])).axes[0].get_xscale() == "linear"


def test_every_field_of_the_map_is_a_row_of_the_table_and_carries_its_number(plain):
    table = numbers(gradient_parts, plain)
    ax, C_g = gradient_parts.plot(plain).axes
    layers, types = list(dict.fromkeys(table.layer)), list(dict.fromkeys(table.type))
    assert layers == [*(f"model.layers.{k}" for k in range(6)), "model.norm"]
    assert types == [*TYPES, "input_layernorm", "weight"]
    written = {tuple(text.get_position()): text.get_text() for text in ax.texts}
    assert written == {
        (types.index(row.type), layers.index(row.layer)): f"{row.D_grad:.2f}" for row in table.itertuples()
    }
    assert (C_g.collections[0].get_array()[..., 3] > 0).sum() == len(table)


def test_a_stronger_colour_is_more_opposition(plain):
    whole = numbers(gradient_parts, plain)
    table = whole.query("type in @TYPES")
    ax = gradient_parts.plot(plain).axes[0]
    layers, types = [list(dict.fromkeys(whole[name])) for name in ("layer", "type")]
    colours = ax.collections[0].get_array()
    shades = [colours[layers.index(row.layer), types.index(row.type), 3] for row in table.itertuples()]
    assert np.array_equal(np.argsort(shades), np.argsort(table.D_grad.to_numpy()))
    assert (min(shades), max(shades)) == pytest.approx((gradient_parts.FAINT, gradient_parts.STRONG))
    assert {to_hex(colour) for colour in colours[colours[..., 3] > 0]} == {SERIES[0]}


def test_an_unknown_field_is_a_dash_and_numbers_give_way_where_there_is_no_room(deep):
    given = record(16)
    untouched = replace(given.parameters[1], D_grad=float("nan"))
    given = replace(given, parameters=(given.parameters[0], untouched, *given.parameters[2:]))
    ax = gradient_parts.plot(report([given])).axes[0]
    assert [text.get_position() for text in ax.texts if text.get_text() == "—"] == [(0, 0)]
    crowded = report([record(16, types=tuple(f"t{k}" for k in range(20)))])
    assert not gradient_parts.plot(crowded, "narrow").axes[0].texts
    many = report([record(16, types=tuple(f"t{k}" for k in range(30)), layers=2)])
    fig = gradient_parts.plot(many)
    assert "further layers or smaller types" in fig.get_suptitle()
    assert len(numbers(gradient_parts, many)) == 2 * 31 + 1
    assert len(fig.axes[0].get_xticks()) == gradient_parts.COLUMNS
    assert len(gradient_parts.plot(deep).axes[0].texts) == len(numbers(gradient_parts, deep))


def test_marks_stand_where_agreement_halved_in_order(plain):
    table = numbers(gradient_halvings, plain).drop_duplicates("layer")
    lines, order = gradient_halvings.plot(plain).axes
    marks = [line.get_xydata()[0].tolist() for line in order.lines]
    within = table.dropna(subset="halved_at_step")
    assert marks[: len(within)] == [[step, y] for y, step in enumerate(within.halved_at_step)]
    assert marks[len(within) :] == [[4096.0, 6.0]]
    assert [label.get_text() for label in order.get_yticklabels()] == table.layer.tolist()
    bars = [piece.tolist() for one in order.collections for piece in one.get_segments()]
    assert bars == [[[row.after_checkpoint, y], [row.by_checkpoint, y]] for y, row in enumerate(within.itertuples())]
    assert len(lines.lines) == len(table)
    assert lines.get_xlim() == order.get_xlim()


def test_checkpoints_of_another_N_are_left_out_and_named(mixed):
    fig = gradient_halvings.plot(mixed)
    assert "Left out" in fig.get_suptitle()
    assert "N = 20,000" in fig.get_suptitle()
    assert set(numbers(gradient_halvings, mixed).step) == set(map(float, STEPS[4:]))


def test_a_run_of_proxies_alone_says_so_wherever_it_is_shown():
    given = [as_proxy(one) for one in records(steps=(1, 10, 100))]
    several = with_changes(given)
    drawn_values = numbers(gradient_opposition, several).D_grad.tolist()
    assert drawn_values == [one.D_grad for one in records((1, 10, 100))]
    shown = [one.stem for one in present(several) if one.figure]
    assert shown == [
        *("gradient-opposition", "noise-scale", "gradient-first-order", "gradient-parts", "gradient-halvings")
    ]
    for section in (gradient_opposition, gradient_parts, gradient_halvings):
        assert "positionwise proxy" in section.plot(several).get_suptitle(), section.TITLE
    assert "forms no token gradient" in dict(left_out(several))[gradient_factors.TITLE]


def test_long_names_keep_the_end_that_tells_them_apart(long_names):
    labels = [label.get_text() for label in gradient_halvings.plot(long_names, "narrow").axes[1].get_yticklabels()]
    assert len(set(labels)) == len(labels)
    assert all(len(label) <= 16 for label in labels)


def test_the_chance_line_is_the_mean_of_random_signs():
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (4_000, 512))
    assert gradient_opposition.chance(512) == pytest.approx(1 - np.abs(signs.sum(axis=1)).mean() / 512, abs=0.001)
