"""How far a run is, by its log; and a copy of a log that grows with it, whatever happens to the log."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from zerosum.curves import LossCurve, read_curve
from zerosum.deceleration import Fit, ModelRow, fit, law_forecast
from zerosum.errors import InputError
from zerosum.runs import Mirror, read_monitor_log, read_progress


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def losses(last: int) -> list[dict[str, object]]:
    return [{"step": step, "loss": 30 * step**-0.25} for step in range(1, last + 1)]


def test_of_a_step_measured_twice_the_later_values_count(tmp_path: Path) -> None:
    first = {"step": 4, "zerosum/M_step": 0.5, "zerosum/D_step": 0.1}
    undefined = {"step": 8, "zerosum/M_step": 0.0, "zerosum/D_step": None, "zerosum/reason": "every change is zero"}
    log = read_monitor_log(write(tmp_path / "a.jsonl", *losses(3), first, undefined, first | {"zerosum/D_step": 0.2}))
    assert log is not None
    assert [(step.step, step.estimate("D").value) for step in log.steps] == [
        (4, 0.2),
        (8, pytest.approx(np.nan, nan_ok=True)),
    ]
    assert log.steps[1].estimate("D").reason == "every change is zero"
    assert log.to_json()["steps"][1]["D_step"] is None


def test_rows_of_our_own_loop_are_those_of_the_step_before_the_update(tmp_path: Path) -> None:
    row = {"step": 5, "loss": 3.0, "zerosum/step": 4.0, "zerosum/M_step": 0.5, "zerosum/D_step": 0.1}
    log = read_monitor_log(write(tmp_path / "metrics.jsonl", *losses(4), row))
    assert log is not None
    assert [step.step for step in log.steps] == [4]


@pytest.mark.parametrize("name", ["t.csv", "t.log", "t.jsonl"])
def test_a_log_without_the_monitor_has_no_record(tmp_path: Path, name: str) -> None:
    texts = {
        "t.csv": "step,loss\n1,2\n2,1\n",
        "t.log": "".join(f"iter {k}: loss {4 - k / 9:.4f}, time 9.00ms, mfu 3.00%\n" for k in range(3)),
        "t.jsonl": '{"step": 1}\n',
    }
    (tmp_path / name).write_text(texts[name])
    assert read_monitor_log(tmp_path / name) is None


def test_progress_of_a_run(tmp_path: Path) -> None:
    monitored = {"step": 512, "zerosum/M_step": 0.1, "zerosum/D_step": 0.5, "zerosum/cost": 0.01}
    write(tmp_path / "run" / "metrics.jsonl", *losses(600), monitored)
    (tmp_path / "run" / "recipe.yaml").write_text(yaml.safe_dump({"steps": 2000}))
    progress = read_progress(tmp_path / "run")
    assert (progress.name, progress.step, progress.total_steps) == ("run", 600, 2000)
    assert progress.fit is not None
    curve = read_curve(tmp_path / "run")
    assert progress.fit.verdict == "no-break"
    assert progress.expected == law_forecast(progress.fit, 2000)
    assert progress.loss.value == pytest.approx(np.exp(np.log(curve.loss[-31:]).mean()))
    assert progress.loss.N == 31
    document = progress.to_json()
    json.dumps(document, allow_nan=False)
    assert document["cost"] == 0.01


def test_a_fit_that_takes_long_is_kept_while_the_log_grows_a_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside: list[int] = []
    law = ModelRow("a law", 2, 0.1, 0.1, {})

    def fitted(curve: LossCurve, models: bool = False) -> Fit:
        beside.extend([len(curve)] * models)
        return replace(fit(curve), models=(law,) * models)

    monkeypatch.setattr("zerosum.runs._progress.fit", fitted)

    def rows(last: int, factor: float = 1.0) -> list[dict[str, object]]:
        return [{"step": k, "loss": factor * 12 * k**-0.25 * (1 + (k / 60) ** 4) ** 0.04} for k in range(1, last + 1)]

    first = read_progress(write(tmp_path / "a.jsonl", *rows(800)))
    kept = read_progress(write(tmp_path / "a.jsonl", *rows(830)), earlier=first)
    kept = read_progress(write(tmp_path / "a.jsonl", *rows(840)), earlier=kept)
    assert first.fit is not None
    assert kept.fit is not None
    assert (kept.step, kept.fit.last_step, kept.fit.t_d, kept.loss.N) == (840, 800, first.fit.t_d, 43)
    assert beside == [800]
    for log in (rows(841), rows(800, 1.01), rows(500)):  # grown by more, another one, a shorter one
        anew = read_progress(write(tmp_path / "a.jsonl", *log), earlier=kept)
        assert anew.fit is not None
        assert anew.fit.last_step == len(log)
    assert beside == [800, 841, 800, 500]


def test_trainer_states_say_how_long_the_run_is(tmp_path: Path) -> None:
    state = {"log_history": losses(50), "max_steps": 70}
    write(tmp_path / "checkpoint-50" / "trainer_state.json", state)
    progress = read_progress(tmp_path)
    assert (progress.step, progress.total_steps) == (50, 70)


def test_values_before_the_first_loss(tmp_path: Path) -> None:
    progress = read_progress(write(tmp_path / "a.jsonl", {"step": 2, "zerosum/M_step": 0.1}))
    assert (progress.fit, progress.expected, progress.step) == (None, None, 2)
    assert "loss" in progress.reason
    json.dumps(progress.to_json(), allow_nan=False)


def test_a_log_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no column is known"):
        read_progress(write(tmp_path / "a.jsonl", {"step": 1, "accuracy": 0.5}))


def test_the_copy_follows_whatever_happens_to_the_log(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    log = tmp_path / "log.jsonl"
    mirror = Mirror(log, tmp_path / "copy")
    with pytest.raises(InputError, match="not there yet"):
        mirror.update()
    log.write_bytes(b"")
    for _ in range(200):
        text = rng.bytes(int(rng.integers(1, 9_000)))
        match rng.integers(6):
            case 0:
                log.write_bytes(text)
            case 1:
                (tmp_path / "new").write_bytes(log.read_bytes() + text)
                (tmp_path / "new").replace(log)
            case 2:
                log.write_bytes(log.read_bytes()[: int(rng.integers(1, 9_000))])
            case _:
                with log.open("ab") as file:
                    file.write(text)
        mirror.update()
        assert mirror.path.read_bytes() == log.read_bytes()
        assert not mirror.update()


def test_only_what_was_appended_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []
    whole = shutil.copyfile
    monkeypatch.setattr("shutil.copyfile", lambda file, copy: copied.append(str(file)) or whole(file, copy))
    log = write(tmp_path / "run" / "metrics.jsonl", *losses(5))
    mirror = Mirror(tmp_path / "run", tmp_path / "copy")
    for step in range(6, 30):
        mirror.update()
        with log.open("a") as file:
            file.write(json.dumps({"step": step, "loss": 2.0}) + "\n" + '{"step":')
        mirror.update()
        assert read_monitor_log(mirror.path) is None
        with log.open("r+") as file:
            file.truncate(log.stat().st_size - len('{"step":'))
    assert copied[0] == str(log)
    assert len(copied) == 24  # once at first, and once after each truncation but the last


def test_a_newer_checkpoint_takes_the_place_of_an_older(tmp_path: Path) -> None:
    run = tmp_path / "run"
    mirror = Mirror(run, tmp_path / "copy")
    for step in (10, 20):
        write(run / f"checkpoint-{step}" / "trainer_state.json", {"log_history": losses(step), "max_steps": 40})
        assert mirror.update()
        assert read_progress(mirror.path, run).step == step
    shutil.rmtree(run / "checkpoint-10")
    mirror.update()
    assert sorted(file.parent.name for file in mirror.path.rglob("*.json")) == ["checkpoint-20"]
