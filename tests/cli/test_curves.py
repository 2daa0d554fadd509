"""`zerosum curves`: what is said of each source, in words and in JSON, and the bad one among many."""

import os
import subprocess
import sys

import pytest
from called import BROKEN, HOSTILE_NAME, call, logs, one_document
from tiny import as_csv, rows

from zerosum.curves import read_curve

__all__ = ["call", "logs"]


def test_everything_that_was_understood_is_printed(call, logs):
    code, out, err = call("curves", *logs)
    assert (code, err) == (0, "")
    for words in ("plain\n", "csv", "step is 'step', loss is 'loss'", "1,200, step 1 to 5,996", "nats per token"):
        assert words in out
    assert "lr is 'lr'" in out
    assert "nanoGPT" in out or "nanogpt" in out
    assert "resumed once (step 996 to 501): 100 rows dropped" in " ".join(out.split())
    assert "written" not in out


@pytest.mark.parametrize("columns", [80, 120])
def test_nothing_is_wider_than_the_terminal(call, logs, columns):
    _, out, _ = call("curves", *logs, columns=columns)
    assert max(map(len, out.splitlines())) <= columns


def test_json_is_one_document(call, logs):
    code, out, err = call("curves", *logs, "--json")
    document = one_document(out)
    assert (code, err) == (0, "")
    assert document["errors"] == []
    plain, resumed, _ = document["curves"]
    read = read_curve(logs[0])
    assert plain == {
        "name": "plain",
        "source": str(logs[0]),
        "format": "csv",
        "columns": {"step": "step", "loss": "loss"},
        "n_points": len(read),
        "first_step": 1.0,
        "last_step": 5996.0,
        "first_loss": read.loss[0],
        "last_loss": read.loss[-1],
        "cleaning": list(read.cleaning),
        "cleaning_codes": ["unit-doubtful"],  # a power law from step 1 on begins above any vocabulary's logarithm
    }
    assert len(resumed["cleaning"]) == len(resumed["cleaning_codes"])
    assert "trained-twice" in resumed["cleaning_codes"]


def test_one_bad_source_does_not_lose_the_others(call, logs, tmp_path):
    (tmp_path / "broken.csv").write_text(BROKEN)
    (tmp_path / "empty.csv").write_text("")
    bad = [tmp_path / "broken.csv", tmp_path / "empty.csv", tmp_path / "missing.csv", tmp_path / ("y" * 300)]
    code, out, err = call("curves", *bad, *logs, "--json")
    document = one_document(out)
    assert code == 2
    assert [curve["name"] for curve in document["curves"]] == ["plain", "resumed", "nanogpt"]
    assert [error["source"] for error in document["errors"]] == list(map(str, bad))
    lines = err.splitlines()
    assert lines[-1] == "zerosum: 4 of 7 sources could not be used; the others are complete."
    for line, error in zip(lines, document["errors"], strict=False):
        assert line == f"zerosum: {error['message']}"
        assert error["message"].startswith(error["source"] + ": ")
        assert error["message"].endswith(".")


def test_all_bad_is_still_a_document(call, tmp_path):
    code, out, _ = call("curves", tmp_path / "missing.csv", "--json")
    document = one_document(out)
    assert code == 2
    assert document["curves"] == []
    assert len(document["errors"]) == 1


def test_options_choose_how_to_read(call, tmp_path):
    log = tmp_path / "odd.csv"
    table = [(step, loss / 2, 100 * step, 1e-3, 9.0) for step, loss in [*rows(500), *rows(300)]]
    log.write_text(as_csv(table, "when,bpb,seen,rate,loss"))
    chosen = ["--step", "when", "--loss", "bpb", "--tokens", "seen", "--lr", "rate", "--bytes-per-token", "4"]
    target = tmp_path / "out.csv"
    code, out, _ = call("curves", log, *chosen, "--on-resume", "first", "--out", target, "--json")
    found = one_document(out)["curves"][0]
    assert code == 0
    assert found["columns"] == {"step": "when", "loss": "bpb", "tokens": "seen", "lr": "rate"}
    assert any("bits per byte" in sentence for sentence in found["cleaning"])
    assert found["last_step"] == 496
    assert target.read_text().startswith("step,tokens,loss,lr\n")
    code, _, err = call("curves", log, *chosen, "--on-resume", "error")
    assert code == 2
    assert "step goes back" in err


def test_a_wrong_call_is_one_line(call):
    for arguments in ([], ["a.csv", "--on-resume", "never"], ["a.csv", "--bytes-per-token", "many"]):
        code, out, err = call("curves", *arguments)
        assert (code, out) == (2, "")
        assert err.count("\n") == 1


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be made on Windows")
def test_a_hostile_name_is_only_text(call, tmp_path):
    log = tmp_path / f"{HOSTILE_NAME}.csv"
    log.write_text(as_csv(rows()))
    broken = tmp_path / f"{HOSTILE_NAME}.txt"
    broken.write_text("\0")
    target = tmp_path / "out"
    target.mkdir()
    code, out, err = call("curves", log, broken, "--out", target)
    assert code == 2
    assert "[bold red]x[bold]" in out
    assert "[bold red]x[bold]" in err
    assert not set("\x1b\x9b\u202e") & set(out + err)
    assert err.count("\n") == 2
    assert [path.name for path in target.iterdir()] == ["bold-red-x-bold-2J-31m-..name.csv"]
    assert one_document(call("curves", log, "--json")[1])["curves"][0]["source"] == str(log)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are no UTF-8")
def test_a_name_that_is_no_text_in_a_process_of_its_own(tmp_path):
    log = os.fsencode(tmp_path) + b"/\xff\xfe.csv"
    with open(log, "w") as handle:  # noqa: PTH123 - pathlib knows no names of bytes
        handle.write(as_csv(rows()))
    verb = [sys.executable, "-c", "from zerosum.cli import main; main()", "curves", log]
    for encoding in ("utf-8", "ascii"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        shown = subprocess.run(verb, capture_output=True, env=environment)
        printed = subprocess.run([*verb, "--json"], capture_output=True, env=environment)
        assert (shown.returncode, printed.returncode) == (0, 0), shown.stderr + printed.stderr
        assert b"5,996" in shown.stdout
        assert one_document(printed.stdout.decode())["curves"][0]["name"] == "\ufffd\ufffd"


def test_parts_of_a_run_are_joined(call, tmp_path):
    for name, steps in (("a", range(1, 41)), ("b", range(31, 81))):
        rows = [f"{step},{4 * step**-0.2:.6f}" for step in steps]
        (tmp_path / f"{name}.csv").write_text("\n".join(["step,loss", *rows, ""]))
    target = tmp_path / "joined.csv"
    code, out, err = call("curves", tmp_path / "a.csv", tmp_path / "b.csv", "--join", "--out", target, "--json")
    (curve,) = one_document(out)["curves"]
    assert (code, err, curve["n_points"]) == (0, "", 80)
    assert {"joined-files", "trained-twice"} <= set(curve["cleaning_codes"])
    assert read_curve(target).step[-1] == 80
    code, out, err = call("curves", tmp_path / "a.csv", tmp_path / "gone.csv", "--join", "--json")
    assert (code, one_document(out)["curves"]) == (2, [])
    assert "gone.csv" in err


def test_runs_are_chosen_by_a_column(call, tmp_path):
    rows = [f"{step},{model},{3 - step / 100}" for model in ("small", "large") for step in range(1, 11)]
    log = tmp_path / "a.csv"
    log.write_text("\n".join(["step,model,loss", *rows, ""]))
    code, _, err = call("fit", log)
    assert code == 2
    assert "2 runs in it" in err
    code, out, _ = call("curves", log, "--where", "model=small", "--json")
    assert (code, one_document(out)["curves"][0]["n_points"]) == (0, 10)
    code, _, err = call("curves", log, "--where", "small")
    assert code == 2
    assert "not COLUMN=VALUE" in err
