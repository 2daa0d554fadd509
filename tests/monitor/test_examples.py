"""The scripts of docs/watch.md run, are short, and leave logs that are read back."""

import runpy
import sys
from pathlib import Path

import pytest

import zerosum
from zerosum.runs import read_monitor_log

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "examples").glob("*.py"))
STEPS = 3


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_trains_and_its_log_is_read(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if "lightning" in script.stem:
        pytest.importorskip("lightning")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "--steps", str(STEPS), "--out", "run"])
    runpy.run_path(str(script), run_name="__main__")
    events = tmp_path / "run" / "runs" if (tmp_path / "run" / "runs").is_dir() else tmp_path / "run"
    log = read_monitor_log(events)
    assert log is not None
    assert [step.step for step in log.of("step")] == [1, 2]
    assert log.of("double")[-1].N("double") == 100 * 64
    assert len(zerosum.read_curve(events)) == STEPS
    assert "step" in capsys.readouterr().out


def test_scripts_are_short_and_in_the_tutorial() -> None:
    tutorial = (ROOT / "docs" / "watch.md").read_text(encoding="utf-8")
    assert len(SCRIPTS) == 3
    for script in SCRIPTS:
        assert len(script.read_text(encoding="utf-8").splitlines()) < 60
        assert f"python examples/{script.name}" in tutorial
