"""Numbers that no document has, against slow and obvious ways; tables and sentences say what documents say."""

import math

import numpy as np
import pytest
import xarray as xr
from gradient_documents import HOSTILE, STEPS, as_proxy, changes, document, documents

from zerosum.errors import InputError
from zerosum.show.gradients import tables, words
from zerosum.show.gradients.by_type import cells
from zerosum.show.gradients.halving import agreement_by_layer, halving, layers_in_D_grad
from zerosum.show.gradients.measured import gradients_of
from zerosum.show.gradients.prediction import binned, prediction
from zerosum.show.gradients.subject import Changes, GradientsOverTraining, Number


@pytest.fixture(scope="module")
def over():
    return GradientsOverTraining.of("run", documents(), [changes(seed=k) for k in range(len(STEPS))])


def by_searching(step, value):
    """Half of the largest value on a fine grid of the interpolated curve."""
    top = int(np.argmax(value))
    grid = np.geomspace(step[top], step[-1], 400_001)
    curve = np.interp(np.log(grid), np.log(step), value)
    below = np.nonzero(curve <= value[top] / 2)[0]
    return grid[below[0]] if len(below) else math.nan


@pytest.mark.parametrize("seed", range(5))
def test_halving_is_where_the_interpolated_curve_first_comes_down_to_half(seed):
    rng = np.random.default_rng(seed)
    step = np.unique(np.round(np.geomspace(1, 5000, 12)))
    value = np.clip(0.9 * step**-0.2 + rng.normal(0, 0.08, len(step)), 0.01, None)
    found = halving(step, value)
    assert found.step == pytest.approx(by_searching(step, value), rel=1e-4)
    assert found.low <= found.step <= found.high


def test_halving_depends_neither_on_the_unit_nor_on_gaps():
    step, value = np.array([0.0, 1, 4, 16, 64]), np.array([0.6, 0.8, np.nan, 0.5, 0.1])
    found = halving(step, value)
    assert halving(step, 3 * value).step == pytest.approx(found.step)
    assert (found.low, found.high, found.largest) == (16.0, 64.0, 0.8)
    kept = np.isfinite(value)
    assert halving(step[kept], value[kept]) == found


def test_halving_before_the_first_step_is_said_to_be_at_its_end():
    found = halving(np.array([0.0, 8.0]), np.array([0.8, 0.1]))
    assert (found.step, found.low, found.high) == (8.0, 0.0, 8.0)


@pytest.mark.parametrize("value", [[0.8, 0.7, 0.5], [0.1, 0.2, 0.8], [np.nan] * 3, [0.0, 0.0, 0.0], [0.8, 0.41, 0.7]])
def test_what_does_not_halve_has_no_step(value):
    assert not halving(np.array([1.0, 2, 4]), np.array(value)).within


def test_layers_are_ordered_by_when_they_halved(over):
    found = agreement_by_layer(over.main)
    assert [one.layer for one in found] == [*(f"model.layers.{k}" for k in (5, 4, 3, 2, 1, 0)), "model.norm"]
    assert [one.depth for one in found] == [5, 4, 3, 2, 1, 0, 6]
    assert found[-1].halved.within is False
    first = over.checkpoints[0].document["layers"]
    D = next(row["D_grad"] for row in first if row["name"] == "model.layers.5")
    assert found[0].agreement[0] == 1 - D


def test_a_layer_that_is_tied_to_others_is_kept():
    """Only layers of nothing but embedding and head are left out."""
    one = document(1)
    one["parameters"][0]["name"] = "model.layers.0.embed.weight"
    over = GradientsOverTraining.of("", [one])
    assert "model.layers.0" in layers_in_D_grad(over.last)
    assert "lm_head" not in layers_in_D_grad(over.last)
    assert "model.embed_tokens" in layers_in_D_grad(over.last)  # nothing in it is known to be one of them


def test_numbered_modules_are_one_type_with_the_mean_over_their_coordinates():
    names = [f"h.0.mlp.experts.{k}.up.weight" for k in range(3)]
    given = [(100, 0.5, 1.0, 4.0), (300, 0.9, 2.0, 2.0), (0, None, 0.0, 0.0)]
    rows = [
        {"name": name, "kind": "matrix", "numel": 400, "touched": n, "D_grad": D, "sum_j_abs_sum_i_p": net}
        | {"sum_ij_abs_p": mass, "D_grad_reason": "no token has a gradient here"}
        for name, (n, D, net, mass) in zip(names, given, strict=True)
    ]
    one = document(1) | {"parameters": rows, "layers": [{"name": "h.0", "kind": "layer", "numel": 1200}]}
    (cell,) = cells(GradientsOverTraining.of("", [one]).last)
    assert (cell.layer, cell.type, cell.n, cell.numel) == ("h.0", "mlp.experts.*.up", 3, 1200)
    assert cell.D_grad == pytest.approx((100 * 0.5 + 300 * 0.9) / 400)
    assert cell.C_g == pytest.approx(0.5)
    rows[0] |= {"touched": None, "D_grad": None, "D_grad_reason": "a sample keeps none"}
    (cell,) = cells(GradientsOverTraining.of("", [one]).last)
    assert (math.isnan(cell.D_grad), cell.reason) == (True, "a sample keeps none")


def test_prediction_is_what_its_definitions_say():
    x, y = changes(slope=0.6)
    found = prediction(Changes.of(x, y))
    known = np.isfinite(x)
    x, y = x[known], y[known]
    assert found.N == x.size == 19_999
    assert found.correlation.value == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-10)
    assert found.slope.value == pytest.approx(np.polyfit(x, y, 1)[0], rel=1e-8)
    assert found.explained.value == pytest.approx(1 - ((y - x) ** 2).sum() / ((y - y.mean()) ** 2).sum(), rel=1e-10)
    assert found.line_explains.value == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2, rel=1e-10)
    assert found.same_sign.value == pytest.approx(np.mean(np.sign(x) == np.sign(y)))


def test_jackknife_is_what_leaving_each_sequence_out_gives():
    x, y = changes(sequences=25, positions=30)
    found = prediction(Changes.of(x, y))
    without = [prediction(Changes.of(np.delete(x, k, 0), np.delete(y, k, 0))).slope.value for k in range(25)]
    error = math.sqrt(24 / 25 * np.sum((np.array(without) - np.mean(without)) ** 2))
    reach = 2.0638985616280205 * error  # Student's t with 24 degrees of freedom, 97.5 %
    assert found.slope.ends == pytest.approx((found.slope.value - reach, found.slope.value + reach), rel=1e-8)


def test_units_may_be_documents():
    """Which are as many tokens as they are, wherever they stand."""
    x, y = changes(sequences=25, positions=30)
    document = np.arange(x.size).reshape(x.shape) // 33
    found = prediction(Changes.of(x, y, document, "document"))
    of = [np.where(document == k, np.nan, x) for k in range(23)]
    without = np.array([prediction(Changes.of(one, y)).slope.value for one in of])
    error = math.sqrt(22 / 23 * np.sum((without - without.mean()) ** 2))
    half = (found.slope.ends[1] - found.slope.ends[0]) / 2
    assert half == pytest.approx(2.0738730679040147 * error, rel=1e-8)  # 22 degrees of freedom
    few = prediction(Changes.of(x[:10], y[:10], document[:10], "document"))
    assert few.slope.reason == "10 documents; an interval needs at least 20"


def test_intervals_cover_about_95_percent():
    """Of correlation and slope of tokens that share a part with their sequence."""
    rng = np.random.default_rng(0)
    hits = np.zeros(2)
    for _ in range(400):
        shared = rng.normal(size=(2, 30, 1))
        x = rng.normal(size=(30, 20)) + shared[0]
        y = 0.5 * x + rng.normal(size=x.shape) + 0.5 * shared[1]
        found = prediction(Changes.of(x, y))
        true = {"correlation": 0.5 * 2 / math.sqrt(2 * (0.25 * 2 + 1.25)), "slope": 0.5}
        hits += [_inside(getattr(found, name), value) for name, value in true.items()]
    assert np.all((hits / 400 >= 0.92) & (hits / 400 <= 0.98))


def _inside(number, value):
    return number.ends[0] <= value <= number.ends[1]


def test_a_prediction_that_misses_more_than_the_mean_explains_less_than_nothing():
    x, _ = changes()
    found = prediction(Changes.of(x, -x))
    assert found.explained.value < 0
    assert found.correlation.value == pytest.approx(-1)
    assert "worse than their mean would" in words.fit(found)


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        (np.zeros((30, 4)), np.ones((30, 4)), "all changes are equal"),
        (np.arange(9.0), np.arange(9.0), "which sequence a token is from is not known"),
        (np.arange(8.0).reshape(2, 4), np.arange(8.0).reshape(2, 4) ** 2, "2 sequences; an interval needs at least 20"),
    ],
)
def test_no_interval_without_a_reason(x, y, why):
    found = prediction(Changes.of(x, y))
    assert found.slope.ends is None
    assert found.slope.reason == why


@pytest.mark.parametrize("spread", ["heavy", "even"])
def test_every_token_is_in_the_bin_of_its_changes(spread):
    x, y = (
        changes(sequences=20, positions=20) if spread == "heavy" else np.random.default_rng(0).uniform(-1, 1, (2, 9, 9))
    )
    given = Changes.of(x, y)
    bins = binned(given, 12)
    assert (bins.width is None) == (spread == "even")
    slow = np.zeros_like(bins.count)
    for a, b in zip(given.first_order, given.loss_change, strict=True):
        slow[tuple(min(11, int(np.searchsorted(bins.edges, one, "right")) - 1) for one in (a, b))] += 1
    assert np.array_equal(bins.count, slow)
    assert bins.count.sum() == len(given.first_order)
    assert bins.edges == pytest.approx(-bins.edges[::-1])


def test_checkpoints_are_compared_only_with_their_own_kind_and_N():
    several = [*documents(steps=(1, 2, 4)), *documents(steps=(8, 16), N=512)]
    several += map(as_proxy, documents(steps=(1, 2, 4, 8, 16)))
    over = GradientsOverTraining.of("", several)
    assert [(line.proxy, line.N, len(line.checkpoints)) for line in over.lines] == [
        (False, 20_000, 3),
        (True, 20_000, 5),
        (False, 512, 2),
    ]
    assert (over.main.proxy, over.main.N) == (False, 20_000)
    assert [one.step for one in over.left_out] == [1, 2, 4, 8, 8, 16, 16]
    assert (over.last.step, over.last.method, over.last.N) == (16, "exact", 512)
    assert words.not_compared(over).startswith("Left out, as of another N or of another method: steps 1, 2, 4,")


def test_tables_have_all_numbers_and_reasons(over):
    page = tables.checkpoints(over)
    assert [row[0].main for row in page.rows] == [f"{step:,}" for step in STEPS]
    assert page.rows[-1][2].main == "0.930"
    assert page.rows[0][7].below.startswith("[0.5")
    assert tables.without_interval(over) == [
        "D_grad, D_grad_matrices, C_g, C_ug, C_uG: exact for these N tokens; another draw of texts would differ"
    ]
    layers = tables.layers(over)
    assert {row[-1].note for row in layers.rows if row[-1].main == "—"} == {
        "embedding and head are left out",
        "not within these checkpoints",
    }
    table = tables.halvings(over)
    assert table.halved_at_step.dropna().is_monotonic_increasing
    assert len(tables.predictions(over)) == len(tables.first_order(over).rows) == len(STEPS)


def test_without_an_update_its_columns_are_left_out():
    over = GradientsOverTraining.of("", documents(update=False))
    assert [head for head, _ in tables.checkpoints(over).columns] == ["Step", "N", "D_grad", "D_grad_matrices"]
    assert len(tables.predictions(over)) == 0
    assert [head for head, _ in tables.layers(over).columns][2:] == ["D_grad", "Agreement halved"]
    assert not any("C_g" in sentence for sentence in words.summary(over))


def test_the_summary_says_N_coordinates_and_how_sure_it_is():
    one = GradientsOverTraining.of("", [document(4096)])
    said = next(iter(words.summary(one))).replace("\xa0", " ")
    touched = sum(row["touched"] for row in one.last.document["parameters"] if row["kind"] in ("matrix", "norm"))
    assert said == (
        f"At step 4,096, 93 % of the gradient cancels between tokens, mean over {touched:,} coordinates of matrices "
        "and norms (N = 20,000 tokens; exact for these; another draw of texts would differ)."
    )
    given = document(4096, n_sampled=256) | {"D_grad": 0.931}
    given["intervals"]["D_grad"] = [0.92, 0.94]
    sampled = words.cancels(GradientsOverTraining.of("", [given]).last).replace("\xa0", " ")
    assert "93.1 % [92.0, 94.0] of the gradient" in sampled
    assert "of which the gradients of 256 were formed; 95 % interval for the draw of the sample" in sampled
    proxy = words.cancels(GradientsOverTraining.of("", [as_proxy(document(1))]).last)
    assert "by a positionwise proxy, which is not the gradient of single tokens" in proxy
    unknown = document(1) | {"D_grad": None, "D_grad_reason": "nothing is touched"}
    assert (
        words.cancels(GradientsOverTraining.of("", [unknown]).last)
        == "At step 1 D_grad is not known: nothing is touched."
    )


def test_overlapping_intervals_claim_no_change():
    given = documents(steps=(1, 2))
    for one in given:
        one["intervals"]["D_grad"] = [0.3, 0.5]
    over = GradientsOverTraining.of("", given)
    said = words.opposed_over_time(over)
    assert "the intervals overlap, so no change is claimed" in said
    assert "rose" not in said


def test_a_change_too_small_to_be_written_is_none():
    given = documents(steps=(1, 2))
    given[0]["D_grad"], given[1]["D_grad"] = 0.81234, 0.81236
    assert words.opposed_over_time(GradientsOverTraining.of("", given)) == "From step 1 to 2 D_grad stayed at 0.812."


def test_the_factor_named_is_the_one_that_changed_more(over):
    said = words.factors_over_time(over)
    first, last = over.checkpoints[0].document, over.checkpoints[-1].document
    assert f"C_g (tokens agree) by {last['C_g'] / first['C_g']:.2g} times" in said
    assert "most of it is C_g" in said
    assert "names no cause" in said


@pytest.mark.parametrize(
    ("value", "ends", "said"),
    [(0.5, None, "50 %"), (0.9987, None, "99.87 %"), (0.99996, None, "99.9960 %"), (1.0, None, "100 %")],
)
def test_a_share_near_one_is_not_rounded_to_all(value, ends, said):
    assert words.percent(Number(value, ends)).replace("\xa0", " ") == said


def a_store(given, arrays=True, dims=("checkpoint", "sequence", "position")):
    steps = [one["step"] for one in given]
    found = {}
    if arrays:
        pairs = [changes(30, 8, seed=k) for k in range(len(given))]
        for at, name in enumerate(("first_order", "loss_change")):
            stacked = np.stack([pair[at] for pair in pairs])
            found[name] = xr.DataArray(stacked, dims=("checkpoint", "sequence", "position")).transpose(*dims)
    return xr.Dataset(found, {"step": ("checkpoint", steps)}, {"documents": given})


@pytest.mark.parametrize("dims", [("checkpoint", "sequence", "position"), ("position", "checkpoint", "sequence")])
def test_a_store_says_the_same_as_its_documents(dims):
    given = documents(steps=(1, 4))
    found = gradients_of(a_store(given, dims=dims), HOSTILE)
    assert found.name == HOSTILE
    assert [one["D_grad"].value for one in found.checkpoints] == [one["D_grad"] for one in given]
    x, y = changes(30, 8, seed=1)
    kept = found.checkpoints[1].changes
    assert np.array_equal(kept.first_order, x[np.isfinite(x)])
    assert np.array_equal(kept.loss_change, y[np.isfinite(y)])
    assert np.array_equal(kept.unit, np.repeat(np.arange(30), 8)[np.isfinite(x).ravel()])


def test_a_store_says_which_documents_were_resampled():
    store = a_store(documents(steps=(1, 4), units="document"))
    unit = np.arange(240).reshape(30, 8) // 10
    found = gradients_of(store.assign_coords(unit=(("sequence", "position"), unit)), "")
    kept = found.checkpoints[1].changes
    x, _ = changes(30, 8, seed=1)
    assert np.array_equal(kept.unit, unit[np.isfinite(x)])
    assert (kept.units, found.units, found.last.units) == ("document", "document", "document")
    assert tables.checkpoints(found).caption == "Every checkpoint"
    told = [one | {"first_order": {"interval": {"n_units": 24}}} for one in store.attrs["documents"]]
    caption = tables.checkpoints(GradientsOverTraining.of("", told)).caption
    assert caption == "Every checkpoint (intervals of D over 24 documents)"
    mixed = gradients_of(a_store([document(1), document(4, units="document")]), "")
    assert mixed.units == "text"


def test_a_store_without_update_has_no_changes():
    found = gradients_of(a_store(documents(steps=(1, 4), update=False), arrays=False), "")
    assert [one.changes for one in found.checkpoints] == [None, None]
    store = a_store(documents(steps=(1, 4)))
    store["loss_change"][0] = np.nan
    assert [one.changes is None for one in gradients_of(store, "").checkpoints] == [True, False]


def test_a_store_that_cannot_be_used_says_why():
    store = a_store(documents(steps=(1, 4)))
    with pytest.raises(InputError, match=r"documents of steps \[1\] and arrays of \[1, 4\]"):
        gradients_of(store.assign_attrs(documents=store.attrs["documents"][:1]), "")
    with pytest.raises(InputError, match="no documents"):
        gradients_of(store.assign_attrs(documents="<b>"), "")
    with pytest.raises(InputError, match="no checkpoint with per-token gradients"):
        GradientsOverTraining.of("", [])
    with pytest.raises(InputError, match="N = None: no whole number"):
        GradientsOverTraining.of("", [{"step": 1, "N": None}])
    with pytest.raises(InputError, match="not one pair for each token"):
        Changes.of(np.zeros(3), np.zeros(4))
