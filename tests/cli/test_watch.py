"""`zerosum watch`: one screen, one document, a log that is not there yet, and Ctrl-C."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from called import call, one_document  # noqa: F401

import zerosum
from zerosum.cli.watch import _Looks
from zerosum.deceleration import fit
from zerosum.runs import Mirror
from zerosum.show.terminal import SCREEN


def log_rows(last: int) -> list[dict[str, Any]]:
    """A run that decelerates, with all that the monitor logs, and warnings."""
    rows: list[dict[str, Any]] = []
    for step in range(1, last + 1):
        rows.append({"step": step, "loss": 30 * step**-0.25 * (1 + (step / 300) ** 5) ** 0.04 * (1 + step % 7 / 500)})
        if step & (step - 1) == 0:
            spans = ("step", "double") if step > 1 else ("step",)
            numbers = {"D": 0.9, "D_low": 0.8512, "D_high": 0.93, "M": 0.0123, "null_unit": 0.95, "N": 12_345}
            values = {f"zerosum/{name}_{span}": value for span in spans for name, value in numbers.items()}
            rows.append(
                {"step": step, **values, "zerosum/loss": 4.0, "zerosum/cost": 0.012, "zerosum/total_steps": 4096}
            )
    long = "step 7: the loss jumped to 30, far above that of the updates before. " * 5
    return rows + [{"step": k, "zerosum/warning": "spike", "zerosum/message": long} for k in range(4)]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"step": 12')  # the next row is half written
    return path


def test_one_screen(call: Any, tmp_path: Path) -> None:  # noqa: F811
    code, out, err = call("watch", write(tmp_path / "log.jsonl", log_rows(1500)), "--once", columns=80)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert len(lines) <= SCREEN
    assert max(map(len, lines)) <= 80
    assert lines[0] == "log.jsonl: step 1,500 of 4,096 (37\xa0%)"
    for words in ("slowed down at step t_d", "expected at step 4,096", "Cost of the monitor: 1.2", "Warning (spike)"):
        assert words in out
    assert "[0.85,\xa00.93]" in out


def test_without_a_terminal_it_prints_once(call: Any, tmp_path: Path) -> None:  # noqa: F811
    code, out, _ = call("watch", write(tmp_path / "log.jsonl", log_rows(20)), columns=80)
    assert (code, out.count("step 20 of 4,096")) == (0, 1)


def test_one_document(call: Any, tmp_path: Path) -> None:  # noqa: F811
    code, out, _ = call("watch", write(tmp_path / "log.jsonl", log_rows(1500)), "--once", "--json")
    (run,) = one_document(out)["runs"]
    assert code == 0
    assert (run["step"], run["verdict"], run["expected"]["T"]) == (1500, "decelerates", 4096)
    assert len(run["monitor"]["warnings"]) == 4


def generated(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and losses of a law with a break, and of one with a floor that looks like a break."""
    step = np.unique(np.geomspace(1, 20_000, 400).round())
    noise = np.exp(0.005 * np.random.default_rng(0).normal(size=len(step)))
    loss = {
        "break": 12 * step**-0.25 * (1 + (step / 500) ** 4) ** 0.04 * noise,
        "floor": 2.0 + 30.0 * step**-0.5,
    }[kind]
    return step, loss


@pytest.mark.parametrize(
    ("kind", "quick", "verdict"), [("break", "decelerates", "decelerates"), ("floor", "decelerates", "cannot-tell")]
)
def test_its_verdict_is_that_of_fit(
    call: Any,  # noqa: F811
    tmp_path: Path,
    kind: str,
    quick: str,
    verdict: str,
) -> None:
    step, loss = generated(kind)
    path = tmp_path / "log.jsonl"
    rows = zip(step.tolist(), loss.tolist(), strict=True)
    path.write_text("".join(json.dumps({"step": step, "loss": loss}) + "\n" for step, loss in rows))
    (run,) = one_document(call("watch", path, "--json")[1])["runs"]
    (curve,) = one_document(call("fit", path, "--json")[1])["curves"]
    assert fit(zerosum.read_curve(path)).verdict == quick
    assert run["verdict"] == curve["verdict"] == verdict
    blocking, expected = ([why for why in of["reasons"] if why["level"] == "blocking"] for of in (run, curve))
    assert blocking == expected
    if kind == "break":
        assert [run[name]["value"] for name in ("t_d", "L_d", "r_d")] == [curve[name] for name in ("t_d", "L_d", "r_d")]


def test_details_have_every_step_and_what_was_asked_for(call: Any, tmp_path: Path) -> None:  # noqa: F811
    rows = log_rows(20)
    asked = {"C_between_step": 0.5, "C_within_step": 0.2, "C_g": 0.33, "micro_cosine": 0.125, "noise_scale": 4321.0}
    averaged = {"D": 0.61, "M": 0.2, "N": 12_345}
    rows.append({"step": 16, **{f"zerosum/{name}": value for name, value in asked.items()}})
    rows.append({"step": 16, **{f"zerosum/{name}_double_average": value for name, value in averaged.items()}})
    code, out, _ = call("watch", write(tmp_path / "log.jsonl", rows), "--details", columns=80)
    assert code == 0
    assert "average: at averaged weights" in " ".join(out.split())
    for words in ("C_between", "C_g", "cosine", "noise scale", "4,321", "0.125", "0.61"):
        assert words in out
    assert "in conflict" not in out.split("mean cosine")[1].splitlines()[0]  # no step has it
    assert max(map(len, out.splitlines())) <= 80
    _, out, _ = call("watch", tmp_path / "log.jsonl", "--json")
    (run,) = one_document(out)["runs"]
    (step,) = [step for step in run["monitor"]["steps"] if step["step"] == 16]
    assert step.items() >= (asked | {"D_double_average": 0.61}).items()
    assert run["monitor"]["n_warnings"] == 4


def test_what_cannot_be_read(call: Any, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "empty").mkdir()
    for source, words in ((tmp_path / "nowhere", "No such file"), (tmp_path / "empty", "no loss log was found")):
        code, out, err = call("watch", source, "--once")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert words in err
    assert call("watch", tmp_path, "--every", "0")[0] == 2


def test_it_follows_a_log_until_ctrl_c(call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    log, pauses = tmp_path / "log.jsonl", []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt
        write(log, log_rows(10 * len(pauses)))

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setattr("time.sleep", pause)
    code, out, err = call("watch", log, "--every", "0.5", columns=80)
    assert (code, err) == (0, "")
    assert "step 20 of 4,096" in out
    assert min(pauses) >= 0.5


def test_looks_at_a_log_that_comes_and_goes(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    looks = _Looks(Mirror(log, tmp_path / "copy"))
    assert "not there yet" in looks.screen().plain
    write(log, log_rows(8))
    assert "step 8 of" in looks.screen().plain
    log.unlink()
    assert all(words in looks.screen().plain for words in ("step 8 of", "waiting:"))
    write(log, log_rows(16))
    time.sleep(0.01)
    shown = looks.screen().plain
    assert "step 16 of" in shown
    assert "steps/s" in shown
    write(log, log_rows(4))
    assert "step 4 of" in looks.screen().plain
