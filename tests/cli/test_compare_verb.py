"""`zerosum compare`: terms that add up, words that fit them, what cannot be compared, tokens in the place of steps."""

import json
import math

import numpy as np
import pytest
from called import BROKEN, HOSTILE_NAME, call, one_document
from tiny import as_csv, rows

from zerosum.curves import by_tokens, read_curve
from zerosum.deceleration import compare, fit

__all__ = ["call"]

BATCH = 1024
TERMS = ["L_d", "t_d", "r_d", "T", "reached_minus_fit"]
LINES = ["loss at the break", "when it breaks", "rate after", "how long", "what the two", "the whole"]
SHOWN = dict(zip(LINES, [*TERMS, "total"], strict=True))


def log(folder, name, table, header="step,loss"):
    path = folder / f"{name}.csv"
    path.write_text(as_csv(table, header))
    return path


def in_tokens(batches, bend=800):
    """A run whose loss depends on the tokens it has seen alone. batches: of each step, in tokens."""
    seen = np.cumsum(batches)[::4]
    noise = 1 + np.random.default_rng(len(batches)).normal(0, 0.005, len(seen))
    t = seen / BATCH
    loss = 30 * t**-0.25 * (1 + (t / bend) ** 5) ** 0.04 * noise
    return list(zip(range(1, len(batches) + 1, 4), seen.tolist(), loss.tolist(), strict=True))


@pytest.fixture
def pair(tmp_path):
    """The same curve, 3 % lower at every step."""
    lower = [(step, 0.97 * loss) for step, loss in rows(seed=1)]
    return log(tmp_path, "base", rows()), log(tmp_path, "lower", lower)


def words_of(text):
    return " ".join(text.split())


def test_json_is_the_comparison_itself(call, pair):
    code, out, err = call("compare", *pair, "--json")
    document = one_document(out)
    a, b = (fit(read_curve(path)) for path in pair)
    assert (code, err, document["errors"]) == (0, "", [])
    assert document["comparisons"] == [
        {"a_source": str(pair[0]), "b_source": str(pair[1]), **json.loads(json.dumps(compare(a, b).to_json()))}
        | {"notes": []}
    ]


def test_the_terms_shown_add_up_to_the_total_and_the_words_fit_them(call, pair):
    one = one_document(call("compare", *pair, "--json")[1])["comparisons"][0]
    terms = {term["name"]: term for term in one["terms"]}
    assert list(terms) == TERMS
    assert sum(term["nats"] for term in terms.values()) == pytest.approx(one["total"], abs=1e-12)
    low, high = terms["L_d"]["interval"]
    assert low < high < 0
    out = call("compare", *pair, columns=80)[1]
    shown = {}
    for line in out.splitlines():
        for words, name in SHOWN.items():
            if line.strip().startswith(words):
                shown[name] = [cell for cell in line.replace("−", "-").split("  ") if cell.strip()][1:]
    assert math.isclose(sum(float(shown[name][0]) for name in TERMS), float(shown["total"][0]), abs_tol=0.0003)
    assert shown["L_d"][1].strip() == f"[{low:.4f}, {high:.4f}]"
    assert shown["L_d"][2].strip() == f"{100 * terms['L_d']['nats'] / one['total']:.0f} %"
    text = words_of(out)
    assert f"lower reached a loss {-one['total']:.4f} nats per token lower than base" in text
    assert "This goes with a lower loss at the break" in text
    assert "it does not say what caused it" in text


def test_where_the_losses_part_is_no_step_where_they_differ_from_the_first(call, pair, tmp_path):
    half = log(tmp_path, "half", [(step, 0.5 * loss) for step, loss in rows(seed=1)])
    one = one_document(call("compare", pair[0], half, "--json")[1])["comparisons"][0]
    assert one["differ_throughout"]
    assert "Throughout the steps that both fits saw the losses differ" in words_of(call("compare", pair[0], half)[1])
    later = log(tmp_path, "later", [(step, loss * (0.9 if step > 2000 else 1)) for step, loss in rows(seed=1)])
    one = one_document(call("compare", pair[0], later, "--json")[1])["comparisons"][0]
    assert not one["differ_throughout"]
    assert one["differ_from"] == pytest.approx(2000, rel=0.2)
    assert f"From step {one['differ_from']:,.0f} on the losses" in words_of(call("compare", pair[0], later)[1])


@pytest.mark.parametrize("axis", ["steps", "tokens"])
def test_the_terms_can_be_computed_again_from_the_document_alone(call, tmp_path, axis):
    """The formula of the page, written out: log L_hat = log L_d - r_d y with y = log(T / t_d)."""
    header = "step,tokens,loss"
    base = log(tmp_path, "base", in_tokens(np.full(8000, BATCH)), header)
    small = log(tmp_path, "small", in_tokens(np.full(12000, BATCH // 2), bend=600), header)
    document = one_document(call("compare", base, small, "--axis", axis, "--json")[1])
    a, b = document["curves"]
    assert [one["label"] for one in (a, b)] == ["A", "B"]
    assert [one["verdict"] for one in (a, b)] == ["decelerates", "decelerates"]
    pair = document["comparisons"][0]
    found = {term["name"]: term["nats"] for term in pair["terms"]}
    unit = [one["tokens_per_step"] if axis == "tokens" else 1.0 for one in (a, b)]
    t_d, T = [scale * one["t_d"] for scale, one in zip(unit, (a, b), strict=True)], list(pair["read_at"].values())
    assert pytest.approx(T) == [scale * one["last_step"] for scale, one in zip(unit, (a, b), strict=True)]
    y = [math.log(end / start) for start, end in zip(t_d, T, strict=True)]
    line = [one["L_d"] * math.exp(-one["r_d"] * at) for one, at in zip((a, b), y, strict=True)]
    mean_loss = (line[1] - line[0]) / math.log(line[1] / line[0])
    mean_rate = (a["r_d"] + b["r_d"]) / 2
    assert found["L_d"] == pytest.approx(mean_loss * math.log(b["L_d"] / a["L_d"]))
    assert found["t_d"] == pytest.approx(mean_loss * mean_rate * math.log(t_d[1] / t_d[0]))
    assert found["r_d"] == pytest.approx(-mean_loss * (b["r_d"] - a["r_d"]) * (y[0] + y[1]) / 2)
    assert found["T"] == pytest.approx(-mean_loss * mean_rate * math.log(T[1] / T[0]))
    assert found["reached_minus_fit"] == pytest.approx(pair["total"] - (line[1] - line[0]))
    assert pair["total"] == b["L_T"] - a["L_T"]


def test_the_other_order_says_the_opposite(call, pair):
    text = words_of(call("compare", *reversed(pair))[1])
    assert "This goes with a higher loss at the break" in text
    assert "higher than lower" in text


def test_each_is_compared_with_the_first_and_a_bad_one_loses_no_other(call, pair, tmp_path):
    (tmp_path / "broken.csv").write_text(BROKEN)
    third = log(tmp_path, "third", rows(seed=2))
    code, out, err = call("compare", *pair, tmp_path / "broken.csv", third, "--json")
    document = one_document(out)
    assert code == 2
    assert [(one["a"], one["b"]) for one in document["comparisons"]] == [("base", "lower"), ("base", "third")]
    assert [one["source"] for one in document["errors"]] == [str(tmp_path / "broken.csv")]
    code, out, err = call("compare", *pair, tmp_path / "broken.csv", third)
    assert "lower minus base" in out
    assert "third minus base" in out
    assert err.count("\n") == 2


def test_without_the_first_there_is_nothing_to_compare(call, pair, tmp_path):
    code, out, err = call("compare", tmp_path / "missing.csv", *pair)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert one_document(call("compare", tmp_path / "missing.csv", *pair, "--json")[1])["comparisons"] == []


def test_without_a_break_the_total_stands_with_the_reason(call, pair, tmp_path):
    short = log(tmp_path, "short", rows(300))
    one = one_document(call("compare", pair[0], short, "--json")[1])["comparisons"][0]
    reached = [fit(read_curve(path)).L_T for path in (pair[0], short)]
    assert one["total"] == pytest.approx(reached[1] - reached[0])
    assert one["terms"] == []
    text = words_of(call("compare", pair[0], short)[1])
    assert words_of(f"The difference is not split into L_d, t_d and r_d: {one['terms_reason']}") in text
    assert "part of the difference" not in text
    assert "cannot tell — — —" in text


def test_runs_of_other_batch_sizes_are_called_unfair_by_steps_and_agree_by_tokens(call, tmp_path):
    header = "step,tokens,loss"
    large = log(tmp_path, "large", in_tokens(np.full(8000, BATCH)), header)
    small = log(tmp_path, "small", in_tokens(np.full(16000, BATCH // 2)), header)
    code, out, _ = call("compare", large, small, "--json")
    one = one_document(out)["comparisons"][0]
    assert code == 0
    assert one["terms"][1]["interval"][0] > 0  # by steps the break seems to come later
    assert ["--axis tokens" in note for note in one["notes"]] == [True]
    assert "A had seen 8.19 M tokens and B 4.09 M tokens" in one["notes"][0]
    text = words_of(call("compare", large, small)[1])
    assert "large had seen 8.19 M tokens and small 4.09 M tokens; a late step took 1,024 and 512 tokens" in text
    one = one_document(call("compare", large, small, "--axis", "tokens", "--json")[1])["comparisons"][0]
    low, high = one["terms"][1]["interval"]
    assert low < 0 < high
    assert one["notes"] == []
    assert "M tokens" in call("compare", large, small, "--axis", "tokens")[1]


def test_a_batch_size_warm_up_is_counted_in_tokens(call, tmp_path):
    header = "step,tokens,loss"
    steady = log(tmp_path, "steady", in_tokens(np.full(8000, BATCH)), header)
    ramp = log(tmp_path, "ramp", in_tokens(np.where(np.arange(9000) < 1500, BATCH // 4, BATCH)), header)
    one = one_document(call("compare", steady, ramp, "--axis", "tokens", "--json")[1])["comparisons"][0]
    low, high = one["terms"][1]["interval"]
    assert low < 0 < high
    text = words_of(call("compare", steady, ramp)[1])  # a late step takes as much in both: what was seen does not
    assert "At step 7,997, the last that both fits saw, steady had seen 8.19 M tokens and ramp 7.04 M tokens" in text
    assert fit(by_tokens(read_curve(ramp))).t_d == pytest.approx(800, rel=0.05)
    assert not 700 < fit(read_curve(ramp)).t_d < 900


def test_tokens_that_are_not_there_are_one_clear_line(call, pair):
    code, out, err = call("compare", *pair, "--axis", "tokens")
    assert (code, out, err.count("\n")) == (2, "", 2)
    assert err.splitlines()[0] == (
        f"zerosum: {pair[0]}: no tokens in this log. Name their column (--tokens), or compare by steps (--axis steps)."
    )


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_nothing_is_wider_than_the_terminal(call, pair, tmp_path, columns):
    hostile = log(tmp_path, HOSTILE_NAME, rows(seed=3))
    _, out, _ = call("compare", *pair, hostile, columns=columns)
    assert max(map(len, out.splitlines())) <= columns
    assert not set("\x1b\x9b\u202e") & set(out)


def test_a_wrong_call_is_one_line(call, pair):
    for arguments in ([], [pair[0]], [*pair, "--axis", "days"], [*pair, "--level", "0"]):
        code, out, err = call("compare", *arguments)
        assert (code, out) == (2, "")
        assert err.splitlines()[0].startswith("zerosum: ")
        assert "Traceback" not in err


def test_each_sentence_says_where_it_reads_and_a_decay_does_not_turn_its_sign(call, pair, tmp_path):
    """The second run decays from step 3,000 on and ends lower, though its fit stops there; the third is shorter."""
    steps = [step for step, _ in rows()]
    share = [min(1.0, (steps[-1] - step) / (steps[-1] - 3_000)) for step in steps]
    decays = [(step, loss * (1 - 0.1 * (1 - lr)), lr) for (step, loss), lr in zip(rows(seed=1), share, strict=True)]
    decayed = log(tmp_path, "decayed", decays, "step,loss,lr")
    text = words_of(call("compare", decayed, pair[0])[1])
    assert f"nats per token higher than decayed at step {steps[-1]:,}, where both logs end" in text
    assert "The fits stop where the learning rate falls or seems to fall (decayed at step 3,0" in text
    shorter = log(tmp_path, "shorter", [row for row in rows(seed=1) if row[0] <= 3_000])
    text = words_of(call("compare", shorter, pair[0])[1])
    assert f"lower than shorter at the end of each log, base at step {steps[-1]:,} and shorter at step 2,99" in text
    assert "At step 2,996, the last that both logged, the loss of base was 0.0" in text
