"""Tables of losses: what is converted, what is averaged, and what is refused with the number of its row."""

import csv
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zerosum.errors import InputError
from zerosum.scaling import fit, read_table

UNITS = {"nats": lambda x: x, "bits": lambda x: x / math.log(2), "log10": lambda x: x / math.log(10)}
UNITS |= {"perplexity": math.exp}


@st.composite
def tables(draw, most=12):
    """Rows of different runs with D over N between 1 and 1,000."""
    n = draw(st.integers(3, most))
    sizes = st.floats(1e6, 1e11).map(lambda x: float(f"{x:.6g}"))
    N = draw(st.lists(sizes, min_size=n, max_size=n, unique=True))
    ratio = draw(st.lists(st.floats(1, 1e3), min_size=n, max_size=n))
    loss = draw(st.lists(st.floats(1.5, 6.0), min_size=n, max_size=n, unique=True))
    return [
        {"run": f"r{k}", "N": a, "D": float(f"{a * r:.6g}"), "loss": y}
        for k, (a, r, y) in enumerate(zip(N, ratio, loss, strict=True))
    ]


def refused(rows, *parts, **options):
    with pytest.raises(InputError) as error:
        read_table(rows, **options)
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


@settings(max_examples=25, deadline=None)
@given(tables(), st.sampled_from(sorted(UNITS)), st.sampled_from(["argument", "column", "name"]))
def test_every_unit_becomes_nats(rows, unit, stated):
    name = f"loss_{unit}" if stated == "name" else "loss"
    other = [{"run": r["run"], "N": r["N"], "D": r["D"], name: UNITS[unit](r["loss"])} for r in rows]
    if stated == "column":
        other = [row | {"loss_unit": unit} for row in other]
    table = read_table(other, loss_unit=unit if stated == "argument" else None)
    np.testing.assert_allclose(table.loss, [row["loss"] for row in rows], rtol=1e-12)
    assert table.unit_given == unit
    assert ("loss-converted" in codes(table)) == (unit != "nats")


# What people call a column of losses, or write as its unit -> the unit; None: not per token, refused.
SPELLED = {
    "nats": ("loss_nats", "nats/token", "log_ppl", "ln(ppl)", "log perplexity", "NATS"),
    "bits": ("loss (bits)", "bits_per_token", "log2 loss", "log2_ppl", "loss base 2", "Bits"),
    "log10": ("loss_log10", "log10(ppl)", "log10-perplexity", "loss base-10"),
    "perplexity": ("ppl", "val_ppl", "Perplexity", "exp(loss)", "eval/ppl"),
    None: ("bpb", "bits_per_byte", "nats/byte", "nats per char", "BPC", "bits-per-word", "loss_per_byte", "val bpb"),
}


@settings(max_examples=60, deadline=None)
@given(tables(most=4), st.sampled_from([(u, s) for u, many in SPELLED.items() for s in many]), st.booleans())
def test_however_a_unit_is_spelled_it_is_never_taken_as_another(rows, unit_spelled, by_row):
    unit, text = unit_spelled
    column = "loss" if by_row else text
    given = [
        {"run": r["run"], "N": r["N"], "D": r["D"], column: UNITS[unit or "nats"](r["loss"])}
        | ({"loss_unit": text} if by_row else {})
        for r in rows
    ]
    if unit is None:
        refused(given, "row 1", "per byte, character or word", "per token", loss=column)
        return
    table = read_table(given, loss=column)
    np.testing.assert_allclose(table.loss, [row["loss"] for row in rows], rtol=1e-12)
    other = next(name for name in UNITS if name != unit)
    refused(given, "row 1", unit, other, loss=column, loss_unit=other)
    if by_row:
        given[-1]["loss_unit"] = other
        refused(given, f"row {len(rows)}", other)


@settings(max_examples=10, deadline=None)
@given(tables(), st.integers(1, 2))
def test_one_or_two_sizes_have_no_law(rows, sizes):
    for k, row in enumerate(rows):
        row["N"] = rows[k % sizes]["N"]
    with pytest.raises(InputError, match=f"rows 1 to {len(rows)} have only {sizes} sizes.*at least 3 sizes"):
        fit(rows)


def codes(table):
    return [note.code for note in table.notes]


@settings(max_examples=15, deadline=None)
@given(tables())
def test_all_ways_to_give_a_table_are_alike(rows):
    frame = pd.DataFrame(rows)
    ways = [read_table(given) for given in (rows, frame, frame.to_dict("list"))]
    for other in ways[1:]:
        np.testing.assert_array_equal(other.loss, ways[0].loss)
        assert other.run == ways[0].run
    assert read_table(ways[0]) is ways[0]


def test_a_file_is_a_table_and_counts_may_have_a_unit(tmp_path):
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([["model", "params", "tokens", "val_loss"], ["a", "14M", "1.2b", "4.1"]])
    table = read_table(path)
    assert (table.N[0], table.D[0], table.loss[0], table.run) == (14e6, 1.2e9, 4.1, ("a",))
    for separator in ";\t":
        path.with_name("other.csv").write_text(path.read_text().replace(",", separator))
        assert read_table(path.with_name("other.csv")).D.tolist() == table.D.tolist()
    for text, part in (
        ("", "no rows"),
        ('N,D,loss\n1M,"2', "no CSV"),
        ("N,D,loss\n1e6,2e9\n", "row 1 has more or fewer"),
        ("N,D,loss,N\n1e6,2e9,3,2e6\n", "two columns are called 'N'"),
    ):
        path.write_text(text)
        refused(path, part)
    refused(tmp_path / "none.csv", "cannot be read")


@settings(max_examples=40, deadline=None)
@given(tables(), st.data())
def test_the_row_that_cannot_be_used_is_named(rows, data):
    k = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.sampled_from(["N", "D", "loss"]))
    bad = data.draw(st.sampled_from([math.nan, math.inf, 0.0, -1.0, "", "diverged", None]))
    lacks = column == "D" and (bad in ("", None) or (isinstance(bad, float) and math.isnan(bad)))
    rows[k][column] = bad
    refused(rows, f"row {k + 1}: ", "neither D nor C" if lacks else column)


@settings(max_examples=40, deadline=None)
@given(tables(), st.data())
def test_a_row_in_millions_or_billions_is_named(rows, data):
    k = data.draw(st.integers(0, len(rows) - 1))
    column, factor = data.draw(st.sampled_from([("N", 1e6), ("N", 1e9), ("D", 1e9)]))
    rows[k][column] /= factor
    others = [row["D"] / row["N"] for j, row in enumerate(rows) if j != k]
    toy = rows[k]["N"] >= 1_000 and rows[k]["D"] / rows[k]["N"] <= 1e3 * np.median(others)
    if toy or (rows[k]["D"] >= 10_000 and column == "D"):
        return  # a size that some have, at a number of tokens that some train
    refused(rows, f"row {k + 1}: ", column)


@settings(max_examples=25, deadline=None)
@given(tables(), st.data())
def test_tokens_from_flops_are_never_mixed_with_counted_ones(rows, data):
    with_C = [row | {"C": 6 * row["N"] * row["D"]} for row in rows]
    assert codes(read_table(with_C)) == codes(read_table(rows))
    alone = read_table([{name: row[name] for name in ("run", "N", "C", "loss")} for row in with_C])
    np.testing.assert_allclose(alone.D, [row["D"] for row in rows], rtol=1e-9)
    assert "D-from-C" in codes(alone)
    k = data.draw(st.integers(0, len(rows) - 1))
    refused([row | {"C": row["C"] * (1.5 if j == k else 1.0)} for j, row in enumerate(with_C)], "C/6N", f"row {k + 1}")
    lacking = [row | ({"D": None} if j == k else {"C": row["C"] * 1.3}) for j, row in enumerate(with_C)]
    refused(lacking, f"row {k + 1}: D is missing")
    filled = read_table([row | ({"D": None} if j == k else {}) for j, row in enumerate(with_C)])
    np.testing.assert_allclose(filled.D, [row["D"] for row in rows], rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(tables(), st.data())
def test_duplicates_are_named_with_both_rows(rows, data):
    k = data.draw(st.integers(0, len(rows) - 1))
    last = f"row {len(rows) + 1}"
    refused([*rows, rows[k]], last, f"row {k + 1}", "duplicate")
    refused([*rows, rows[k] | {"run": "again"}], last, f"row {k + 1}", "run listed twice")
    refused([*rows, rows[k] | {"loss": 1.1}], last, f"row {k + 1}", "another loss at the same D")
    refused([*rows, rows[k] | {"loss": 1.1, "N": 2.5e6}], last, f"row {k + 1}", "another loss")
    refused([*rows, rows[k] | {"loss": 1.1, "N": 2.5e6, "D": 3e7}], last, f"row {k + 1}", "one N")


@settings(max_examples=15, deadline=None)
@given(tables(), st.integers(2, 4), st.floats(0.001, 0.05))
def test_seeds_are_averaged_and_their_spread_is_kept(rows, seeds, sd):
    rng = np.random.default_rng(0)
    log = np.log([row["loss"] for row in rows]) + sd * rng.standard_normal((seeds, len(rows)))
    many = [
        row | {"run": f"{row['run']}-{s}", "loss": math.exp(y)}
        for s in range(seeds)
        for row, y in zip(rows, log[s], strict=True)
    ]
    table = read_table(many)
    np.testing.assert_allclose(np.log(table.loss), log.mean(axis=0), rtol=1e-12)
    assert table.seed_sd == pytest.approx(math.sqrt(log.var(axis=0, ddof=1).mean()))
    assert (table.seed_df, set(table.seeds)) == ((seeds - 1) * len(rows), {seeds})
    assert len(set(table.run)) == len(rows)
    named = [row | {"run": row["run"].partition("-")[0], "seed": row["run"].partition("-")[2]} for row in many]
    np.testing.assert_array_equal(read_table(named).loss, table.loss)
    refused([{k: v for k, v in row.items() if k != "seed"} for row in named], "another loss at the same D")


@settings(max_examples=15, deadline=None)
@given(tables(), st.sampled_from(sorted(UNITS)), st.floats(0.001, 0.05))
def test_intervals_of_losses_become_their_own_error(rows, unit, error):
    ends = {"loss_lo95": -1.959964, "loss_hi95": 1.959964}
    given = [
        row
        | {"loss": UNITS[unit](row["loss"])}
        | {name: UNITS[unit](row["loss"] * math.exp(z * error)) for name, z in ends.items()}
        for row in rows
    ]
    assert read_table(given, loss_unit=unit).own_error == pytest.approx(error, rel=1e-6)
    assert read_table([*given[1:], given[0] | dict.fromkeys(ends, "")], loss_unit=unit).own_error == pytest.approx(
        error
    )
    assert read_table(rows).own_error == 0.0
    given[-1]["loss"] = given[-1]["loss_hi95"] * 1.01
    refused(given, f"row {len(rows)}: the loss", "outside its interval", loss_unit=unit)


def test_what_else_is_refused():
    rows = [{"N": 1e6 * k, "D": 1e9, "loss": 4.0 - k / 10} for k in (1, 2, 3)]
    refused([row | {"loss": 50.0} for row in rows], "row 1", "perplexity")
    refused(
        [row | {"loss_unit": unit} for row, unit in zip(rows, ("nats", "bits", "nats"), strict=True)], "row 2", "bits"
    )
    refused([{"N": r["N"], "D": r["D"], "bpb": 1.0} for r in rows], "per byte")
    refused([{"N": r["N"], "D": r["D"], "ppl": 1.0} for r in rows], "row 1", "not above 0")
    refused([row | {"N_is": k} for row, k in zip(rows, ("active", "total", "active"), strict=True)], "row 2", "'total'")
    refused([row | {"val_loss": 1.0} for row in rows], "no column", loss="nll")
    refused([{"N": 1e6, "train_loss": 1.0, "val_loss": 1.0, "D": 1e9}], "several columns")
    refused([], "no rows")
    refused(rows, "no row has", where={"N": "7"})
    refused({"N": [1e6], "D": [1e9, 2e9], "loss": [1.0]}, "different lengths")
    assert read_table([{"N_no_embed": 1e6, "D": 1e9, "loss": 3.0}]).N_is == "without embeddings"
    assert read_table([{"N": 2e6, "N_no_embed": 1e6, "D": 1e9, "loss": 3.0}]).N_is == "with embeddings"
