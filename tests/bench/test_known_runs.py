"""A bench that goes on from the results of runs that are not here."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from benches import findings, finished, one_after_the_other
from command_line import called_with

from zerosum.bench import engine
from zerosum.bench.collect import collect
from zerosum.bench.engine import next_runs, run_here
from zerosum.bench.known import FILE, read_all_known, read_known, write_known
from zerosum.bench.plan import Bench
from zerosum.bench.progress import Runs, progress_of
from zerosum.bench.read import levels_of, read_results
from zerosum.bench.reading import declared
from zerosum.bench.trained_on import texts_now


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory, module_content: dict) -> Bench:
    """A finished bench, one arm of which diverges."""
    folder = tmp_path_factory.mktemp("known")
    arms = {"wild": {"optimizer.kind": "sgd", "optimizer.lr": 1e30}}
    content = module_content | {"arms": arms, "null_arms": ["placebo", "bigram"], "speed_up": [1.0]}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    return finished(folder / "tiny.yaml", folder / "runs" / "tiny")


@pytest.fixture(scope="module")
def content(here: Bench) -> dict:
    return yaml.safe_load((here.folder.parents[1] / "tiny.yaml").read_text())


@pytest.fixture(scope="module")
def file(here: Bench) -> Path:
    write_known(here.folder / FILE, here.declaration, collect(here, Runs(here)))
    return here.folder / FILE


def elsewhere(file: Path, content: dict, tmp_path: Path, without: str = "") -> Bench:
    """The bench on a machine without its runs."""
    declaration = declared(content, "the file")
    known = {name: run for name, run in read_known(file, declaration).items() if not (without and without in name)}
    return Bench(declaration, tmp_path / "runs" / "tiny", known)


def test_the_same_results_without_any_run(here: Bench, file: Path, content: dict, tmp_path: Path) -> None:
    there = elsewhere(file, content, tmp_path)
    assert list(next_runs(there, Runs(there))) == []
    results = read_results(there)
    assert findings(there) == [*findings_without_identity(here)]
    assert results[0].complete
    for arm in (results[0].baseline, *results[0].arms):
        assert [run.seed for run in arm.runs] == [0, 1]
    write_known(tmp_path / FILE, there.declaration, collect(there, Runs(there)))
    assert (tmp_path / FILE).read_bytes() == file.read_bytes()


def findings_without_identity(bench: Bench) -> list:
    """The identity gate is passed anew where the bench goes on."""
    found = findings(bench)
    for result in found:
        for arm in result["arms"]:
            arm["identity"] = None
    return found


def test_only_what_is_new_is_trained(
    here: Bench, file: Path, content: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = elsewhere(file, content | {"seeds": 3}, tmp_path)
    assert {(run.recipe.optimizer.kind, run.recipe.seed) for run in next_runs(more, Runs(more))} == {
        ("adamw", 2), ("sgd", 2),
    }  # fmt: skip
    assert [one.complete for one in read_results(more)] == [False]
    monkeypatch.setattr(engine, "side_by_side", one_after_the_other)
    run_here(more, 1, lambda *news: None, lambda notice: None)
    (result,) = read_results(more)
    assert result.complete
    assert [run.seed for run in result.baseline.runs] == [0, 1, 2]
    for one, other in zip(result.baseline.runs[:2], read_results(here)[0].baseline.runs, strict=True):
        assert (one.loss, one.movement, one.seconds) == (other.loss, other.movement, other.seconds)
    assert not list(more.pool.glob("*-seed[01]-8-*"))


@pytest.mark.parametrize("without", ["seed1000000-", "seed0-8-"])
def test_a_run_from_which_another_has_to_start_is_trained(
    file: Path, content: dict, tmp_path: Path, without: str
) -> None:
    part = elsewhere(file, content, tmp_path, without)
    assert {(run.recipe.optimizer.kind, run.recipe.seed) for run in next_runs(part, Runs(part))} >= {("adamw", 0)}


def test_movement_between_other_losses_is_not_taken(file: Path, content: dict, tmp_path: Path) -> None:
    other = elsewhere(file, content | {"levels": [5.0, 4.0]}, tmp_path)
    assert all(run.loss > 0 and not run.movement for run in read_results(other)[0].baseline.runs)


def test_what_was_an_arm_may_be_the_baseline_with_its_movement(content: dict, tmp_path: Path) -> None:
    quick, plain = {"optimizer.betas": [0.9, 0.8]}, {"null_arms": [], "speed_up": [], "averages": []}
    (tmp_path / "arm.yaml").write_text(yaml.safe_dump(content | plain | {"arms": {"quick": quick}}))
    bench = finished(tmp_path / "arm.yaml", tmp_path / "runs" / "arm")
    write_known(tmp_path / FILE, bench.declaration, collect(bench, Runs(bench)))
    other = content | plain | {"set": {**content["set"], **quick}, "arms": {"slow": {"optimizer.betas": [0.9, 0.99]}}}
    there = elsewhere(tmp_path / FILE, other, tmp_path)
    here = replace(there, folder=bench.folder, known={})
    (was,), (known,) = read_results(bench)[0].arms, read_results(there)
    assert [run.loss for run in known.baseline.runs] == [run.loss for run in was.runs]
    baselines = [(one, progress_of(one, "tiny", Runs(one))[0]) for one in (there, here)]
    levels, expected = (levels_of(one, "tiny", baseline, Runs(one)) for one, baseline in baselines)
    assert len(expected) > 1
    assert levels == expected
    assert {run.recipe.optimizer.b2 for run in next_runs(there, Runs(there))} == {0.99}


def test_a_best_run_whose_levels_are_not_known_is_trained(file: Path, content: dict, tmp_path: Path) -> None:
    there = elsewhere(file, content, tmp_path)
    without = {name: replace(run, levels=() if run.result is None else run.levels) for name, run in there.known.items()}
    there = replace(there, known=without)
    (run,) = next_runs(there, Runs(there))
    assert (run.recipe.optimizer.kind, run.recipe.seed) == ("adamw", 1_000)
    given = replace(there, declaration=declared(content | {"levels": [5.0, 4.0]}, "a"))
    assert list(next_runs(given, Runs(given))) == []


def test_a_run_that_is_here_counts_and_not_its_known_result(here: Bench, file: Path) -> None:
    wrong = {name: replace(run, loss=0.0, result=None) for name, run in read_known(file, here.declaration).items()}
    bench = replace(here, known=wrong)
    assert read_results(bench) == read_results(here)


def test_a_run_that_was_stopped_here_hides_no_known_result(file: Path, content: dict, tmp_path: Path) -> None:
    there = elsewhere(file, content, tmp_path)
    expected = findings(there)
    for name in there.known:
        folder = there.pool / name
        folder.mkdir(parents=True)
        (folder / "metrics.jsonl").write_text('{"step": 1, "loss": 5.5}\n')
    assert list(next_runs(there, Runs(there))) == []
    assert findings(there) == expected


def test_of_a_run_in_several_files_the_most_is_taken(file: Path, here: Bench, tmp_path: Path) -> None:
    known = read_known(file, here.declaration)
    less = [replace(run, result=None, ngrams={}) for run in known.values()]
    names = sorted(known)
    write_known(tmp_path / "less.jsonl", here.declaration, less)
    write_known(tmp_path / "half.jsonl", here.declaration, [known[name] for name in names[::2]])
    write_known(tmp_path / "rest.jsonl", here.declaration, [known[name] for name in names[1::2]])
    for order in (("less", "half", "rest"), ("rest", "half", "less")):
        found = read_all_known([tmp_path / f"{name}.jsonl" for name in order], here.declaration)
        write_known(tmp_path / FILE, here.declaration, found.values())
        assert (tmp_path / FILE).read_bytes() == file.read_bytes()


def test_reading_a_bench_whose_runs_are_gone_removes_nothing(
    file: Path, content: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    out = tmp_path / "runs" / "tiny"
    out.mkdir(parents=True)
    more = json.dumps({"run": "of-an-arm-that-was-taken-out", "loss": 2.5})
    (out / FILE).write_text(file.read_text() + more + "\n")
    assert called_with("bench", tmp_path / "tiny.yaml", "--out", out, "--status") == 0
    assert "all runs are trained" in capsys.readouterr().err
    kept = read_known(out / FILE, declared(content, "the file"))
    assert kept.keys() == read_known(file, declared(content, "the file")).keys() | {"of-an-arm-that-was-taken-out"}


def test_results_of_other_text_are_left_out_where_runs_are_trained(
    here: Bench, file: Path, content: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says so of some of the runs, which are trained again; all others are known."""
    known = read_known(file, here.declaration)
    assert {run.text for run in known.values()} == texts_now(here.declaration)
    old = [name for name in known if name.startswith("adamw") and "-seed1000-5-" in name]
    assert len(old) >= 3
    other = [replace(run, text="0123456789abcdef") if run.run in old else run for run in known.values()]
    write_known(tmp_path / "other.jsonl", here.declaration, other)
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    command = (
        "bench",
        tmp_path / "tiny.yaml",
        "--out",
        tmp_path / "runs" / "tiny",
        "--known",
        tmp_path / "other.jsonl",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "side_by_side", one_after_the_other)
        assert called_with(*command) == 0
    assert f"{len(old)} results are of other text than is here: left out" in capsys.readouterr().err
    trained = {folder.name for folder in (tmp_path / "runs" / "bench-runs").iterdir() if folder.is_dir()}
    assert set(old) <= trained < known.keys()
    again = read_known(tmp_path / "runs" / "tiny" / FILE, here.declaration)
    assert {name: again[name].loss for name in old} == pytest.approx({name: known[name].loss for name in old})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: lines[1:], "line 1 is no run"),
        (lambda lines: [], "holds no runs"),
        (lambda lines: [*lines[:2], lines[2][:-9]], "line 3 is no run"),
        (lambda lines: [lines[0], json.dumps({"run": "a", "tokens": "many"})], "line 2 is no run"),
        (lambda lines: [lines[0].replace(": 8", ": 16"), *lines[1:]], "final_held_out 16 there, 8 now"),
    ],
)
def test_a_file_that_does_not_fit_is_one_line(
    file: Path, content: dict, tmp_path: Path, change, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "runs.jsonl").write_text("\n".join(change(file.read_text().splitlines())))
    command = ("bench", tmp_path / "tiny.yaml", "--out", tmp_path / "out", "--known", tmp_path / "runs.jsonl")
    assert called_with(*command) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert not (tmp_path / "out").exists()
