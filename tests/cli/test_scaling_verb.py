"""`zerosum scaling`: laws and best sizes in one document, a folder with a page, and calls that are refused."""

import pytest
from called import call, one_document

__all__ = ["call"]


@pytest.fixture
def table(tmp_path):
    points = [(1e7 * 2**k, 1e7 * 2**k * ratio, k) for k in range(6) for ratio in (10, 40, 160)]
    rows = [f"r{k},{N:.0f},{D:.0f},{1.7 + 400 / N**0.34 + 410 / D**0.34},c4" for N, D, k in points]
    path = tmp_path / "sizes.csv"
    path.write_text("\n".join(["run,N,D,loss,data", *rows]))
    return path


def test_one_document_and_a_folder(call, table, tmp_path, blank_figures):
    out = tmp_path / "out"
    options = ("--law", "over-training", "--where", "data=c4", "--budget", "1e20", "--out", out)
    code, stdout, _ = call("scaling", "--table", table, *options, "--json")
    document = one_document(stdout)
    (law,) = document["laws"]
    assert (document["errors"], code, law["name"]) == ([], 0, "over-training")
    assert law["params"]["E"]["value"] == pytest.approx(1.7, rel=1e-4)
    assert {row["run"] for row in law["held_out"]} == {"r5"}
    assert max(abs(row["error"]) for row in law["held_out"]) < 1e-4
    assert [row["used"] for row in document["protocol"]] == ["all-checkpoints", "finals-only", "nearest-3", "one-break"]
    assert document["protocol"][0]["error"]["value"] < 1e-4
    assert document["optimal"][0]["n_params"]["value"] > 1e6
    assert {"report.html", "laws.json", "scaling-laws.csv", "scaling-best.tex"} <= {path.name for path in out.iterdir()}


def test_no_run_is_held_out_and_settings_are_given_by_name(call, table):
    options = ("--set", "delta=0.5", "--set", "cut=1e9", "--hold-out", "none", "--json")
    _, stdout, _ = call("scaling", "--table", table, *options)
    document = one_document(stdout)
    (law,) = document["laws"]
    assert (law["delta"], law["held_out"], document["protocol"]) == (0.5, [], [])
    assert law["n"] == sum(float(line.split(",")[2]) >= 1e9 for line in table.read_text().splitlines()[1:])


def test_budgets_and_batches_are_laws_of_the_verb(call, tmp_path, blank_figures):
    budgets, batches, out = tmp_path / "budgets.csv", tmp_path / "batches.csv", tmp_path / "out"
    best = [(C, x, 0.1 * C**0.5 * 2.0**x) for C in (1e18, 1e19, 1e20) for x in (-2, -1, 0, 1, 2)]
    budgets.write_text("\n".join(["N,C,loss", *(f"{N},{C},{2 + 0.1 * x * x + C**-0.05}" for C, x, N in best)]))
    code, stdout, _ = call("scaling", "--table", budgets, "--law", "iso-flop", "--budget", "1e21", "--json")
    document = one_document(stdout)
    assert (code, document["laws"], document["critical_batch"]) == (0, [], None)
    assert document["iso_flop"]["a"]["value"] == pytest.approx(0.5)
    assert document["optimal"][0]["n_params"]["value"] == pytest.approx(0.1 * 1e21**0.5)
    steps = [(B, 300 * (1 + 1000 / B) * at, at) for B in (256, 1024, 4096, 8192) for at in (0.5, 2.0)]
    rows = (f"b{B},1e6,{B * S},{B},{S},{3 * at**-0.1}" for B, S, at in steps)
    batches.write_text("\n".join(["run,N,D,batch,step,loss", *rows]))
    options = ("--table", batches, "--law", "critical-batch", "--set", "target=3")
    _, stdout, _ = call("scaling", *options, "--out", out, "--json")
    found = one_document(stdout)["critical_batch"]
    assert found["B_crit"]["value"] == pytest.approx(1000)
    assert [row["batch"] for row in found["batches"]] == [256, 1024, 4096, 8192]
    assert {"critical-batch.csv", "critical-batch-steps.csv", "report.html"} <= {path.name for path in out.iterdir()}
    _, stdout, _ = call("scaling", *options)
    assert "Critical batch at a loss of 3" in stdout
    assert len(stdout.splitlines()) <= 24
    code, _, stderr = call("scaling", *options[:4])
    assert code == 2
    assert "every run crosses 2.799 to 3.215" in stderr


def test_every_run_that_cannot_be_used_is_named_and_laws_of_the_loss_go_on(call, tmp_path):
    logs = []
    for k, name in enumerate(("10M", "30M", "100M")):
        logs.append(tmp_path / f"{name}.csv")
        rows = (
            f"{s},{s * 1000 * 3**k},{(8 - k) * s**-0.1}" for s in range(200, 3000, 10)
        )  # one straight line, no break
        logs[-1].write_text("\n".join(["step,tokens,loss", *rows]))
    code, stdout, stderr = call("scaling", *logs, tmp_path / "none.csv", "--law", "kaplan-tokens", "--json")
    document = one_document(stdout)
    assert (code, document["deceleration"], [law["name"] for law in document["laws"]]) == (2, None, ["kaplan-tokens"])
    messages = [error["message"] for error in document["errors"]]
    assert len(messages) == 2
    assert "none.csv" in messages[0]
    assert "0 sizes with a break" in messages[1]
    code, _, stderr = call("scaling", *logs, "--params", "10,30,100")
    assert code == 2
    assert stderr.count("in millions or billions?") == 3


def test_what_is_wrong_is_one_line(call, table):
    for options, part in (
        (("--law", "chinchila"), "Did you mean chinchilla"),
        (("--where", "c4"), "not COLUMN=VALUE"),
        (("--where", "data=pile"), "no row has data"),
        (("--loss-unit", "bytes"), "not nats per token"),
        (("--hold-out", "r55"), "Did you mean 'r5'"),
        (("--set", "detla=1"), "Choose one of delta, cut, target"),
        (("--set", "cut=many"), "not a number"),
        (("--law", "x"), "iso-flop, critical-batch"),
        (("--law", "critical-batch"), "row 4: N is"),
        (("--set", "delta=-1"), "not above 0"),
    ):
        code, stdout, stderr = call("scaling", "--table", table, *options)
        assert (code, stdout) == (2, "")
        assert part in stderr
        assert len(stderr.splitlines()) == 1
