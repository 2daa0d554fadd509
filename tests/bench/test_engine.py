"""A bench of tiny runs from its first rate to its results; what two benches share; what fails. Killed: tests/long."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from benches import finished, times_of_runs
from command_line import called_with
from pretend_slurm import pretend_slurm

from zerosum.bench import engine
from zerosum.bench.engine import identities_of, next_runs, unmeasured
from zerosum.bench.final_loss import measure_final_loss, read_final_loss
from zerosum.bench.movement import is_measured, measure
from zerosum.bench.plan import Bench
from zerosum.bench.progress import Runs
from zerosum.bench.read import read_results
from zerosum.bench.reading import read_declaration
from zerosum.bench.results import BenchResult
from zerosum.errors import InputError
from zerosum.sharing import take
from zerosum.show import folder as show_folder
from zerosum.training import train
from zerosum.training.changes import with_changes
from zerosum.training.held_out import held_out_tokens
from zerosum.training.metrics import read_rows
from zerosum.training.run_folder import LOCK, METRICS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("benches")


@pytest.fixture(scope="module")
def whole(folder: Path, module_content: dict) -> Bench:
    """Without the half rate, which takes as long as an arm."""
    content = module_content | {"null_arms": ["placebo", "bigram"]}
    (folder / "tiny.yaml").write_text(yaml.safe_dump(content))
    return finished(folder / "tiny.yaml", folder / "whole" / "tiny")


@pytest.fixture(scope="module")
def result(whole: Bench) -> BenchResult:
    return read_results(whole)[0]


def test_every_part_is_there(result: BenchResult) -> None:
    assert result.complete
    assert [(arm.name, arm.kind) for arm in result.arms] == [
        ("lion", "arm"), ("placebo", "placebo"), ("bigram", "bigram"),
    ]  # fmt: skip
    for arm in (result.baseline, *result.arms):
        assert [run.seed for run in arm.runs] == [0, 1]
        assert all(math.isfinite(run.loss) for run in arm.runs)
    for arm in (result.baseline, result.arms[0]):
        short = [rate for rate in arm.rates if not rate.full]
        assert len(short) in (3, 5)
        assert {rate.seed for rate in arm.rates} == {1000}
        assert arm.best_lr in {rate.lr for rate in arm.rates if rate.full}
    assert {one.multiple for one in result.horizons} == {1.0, 1.5}
    assert result.ngrams["bigram"] > 0


def test_pairs_share_weights_and_batches_and_the_placebo_only_weights(result: BenchResult) -> None:
    lion, placebo, _ = result.arms
    for arm in (lion, placebo):
        for run, base in zip(arm.runs, result.baseline.runs, strict=True):
            assert (run.weights, run.held_out) == (base.weights, base.held_out)
            assert (run.batches == base.batches) is (arm is not placebo)
            assert run.tokens == base.tokens
            assert run.seconds > 0 < run.peak_memory
    assert len({run.weights for run in result.baseline.runs}) == 2
    assert lion.runs[0].flops == result.baseline.runs[0].flops > 0
    assert set(lion.runs[0].movement) == {"raw"}


def test_a_tuning_run_is_a_trunk_and_its_branch_bit_for_bit(whole: Bench, tmp_path: Path) -> None:
    recipe = whole.at("tiny", "lion", 0.001)
    tuning, trunk = whole.tuning_run(recipe, 0, full=True), whole.trunk(recipe, 0)
    together = tuning.recipe
    train(together, tmp_path / "together")
    train(trunk.recipe, tmp_path / "trunk")
    branch = whole.cooled(trunk, recipe.steps).recipe
    start = branch.start.model_copy(update={"checkpoint": str(tmp_path / "trunk" / "checkpoint-8")})
    train(branch.model_copy(update={"start": start}), tmp_path / "branch")
    rows = [
        json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[-1]) for name in ("together", "branch")
    ]
    assert rows[0] == rows[1]


def test_the_final_loss_is_the_logged_loss_on_more_text(whole: Bench, result: BenchResult, tmp_path: Path) -> None:
    trunk = whole.trunk(whole.at("tiny", "lion", result.arms[0].best_lr), 0)
    cooled = whole.cooled(trunk, trunk.recipe.steps)
    for kind in ("lion", "schedule_free"):  # the second saves other weights than it trains
        run = cooled
        if kind != "lion":
            recipe = with_changes(trunk.recipe, {"optimizer.kind": kind})
            run = replace(trunk, folder=tmp_path / kind, recipe=recipe)
            train(recipe, run.folder)
        logged = read_rows(run.folder / METRICS, run.recipe.first_step)[-1]["held_out_loss"]
        measure_final_loss(run, 4)
        on_the_same = read_final_loss(run, 4)
        assert (on_the_same.loss, on_the_same.tokens) == (pytest.approx(logged, rel=1e-6), 4 * run.recipe.batch.length)
    on_more = read_final_loss(cooled, 8)
    assert on_more.loss == result.arms[0].runs[0].loss != pytest.approx(logged)
    assert result.final_tokens == on_more.tokens == 8 * cooled.recipe.batch.length
    measure_final_loss(cooled, 10**6)  # more than there are
    most = read_final_loss(cooled, 10**6).tokens // cooled.recipe.batch.length
    assert most in {10**6 // 2**k for k in range(20)}
    with pytest.raises(InputError):
        held_out_tokens(cooled.recipe, 2 * most)


def test_other_text_for_the_final_loss_trains_no_run_again(whole: Bench, folder: Path, module_content: dict) -> None:
    content = module_content | {"null_arms": ["placebo", "bigram"], "final_held_out": 6}
    (folder / "more_text.yaml").write_text(yaml.safe_dump(content))
    bench = Bench(read_declaration(folder / "more_text.yaml"), whole.folder.parent / "more_text")
    before = times_of_runs(whole.pool)
    assert not any(math.isfinite(run.loss) for run in read_results(bench)[0].baseline.runs)
    assert list(unmeasured(bench, Runs(bench)))
    finished(folder / "more_text.yaml", bench.folder)
    assert {name: at for name, at in times_of_runs(bench.pool).items() if name in before} == before
    one, other = (read_results(each)[0] for each in (whole, bench))
    assert one.final_tokens / 8 == other.final_tokens / 6
    assert one.baseline.runs[0].loss != other.baseline.runs[0].loss


def test_what_is_done_is_not_done_again_also_by_another_bench(whole: Bench, folder: Path, module_content: dict) -> None:
    before = times_of_runs(whole.pool)
    assert list(next_runs(whole, Runs(whole))) == []
    finished(folder / "tiny.yaml", whole.folder)
    assert times_of_runs(whole.pool) == before
    other = module_content | {"arms": {"warm": {"schedule.warmup_steps": 2}}, "null_arms": ["placebo"]}
    (folder / "other.yaml").write_text(yaml.safe_dump(other))
    bench = Bench(read_declaration(folder / "other.yaml"), whole.folder.parent / "other")
    needed = {run.recipe.schedule.warmup_steps for run in next_runs(bench, Runs(bench))}
    assert needed == {2}


def test_a_bench_that_measures_other_tokens_needs_the_checkpoints(whole: Bench, tmp_path: Path) -> None:
    best = read_results(whole)[0].arms[0].best_lr
    trunk = whole.trunk(whole.at("tiny", "lion", best), 0)
    copy = replace(trunk, folder=shutil.copytree(trunk.folder, tmp_path / trunk.folder.name))
    assert is_measured(copy, 4)
    assert not is_measured(copy, 5)
    measure(copy, 5, False, lambda *news: None)
    assert is_measured(copy, 4)
    assert is_measured(copy, 5)
    assert {path.name for path in copy.folder.glob("checkpoint-*")} == {"checkpoint-0", "checkpoint-8"}
    with pytest.raises(InputError, match="checkpoint-1 is not there: a bench with keep_checkpoints: false"):
        measure(copy, 6, True, lambda *news: None)


def test_a_run_that_was_deleted_is_trained_again_and_nothing_else(whole: Bench, folder: Path) -> None:
    runs = Runs(whole)
    one = whole.trunk(whole.at("tiny", "lion", read_results(whole)[0].arms[0].best_lr), 1)
    shutil.rmtree(one.folder)
    assert [run.folder for run in next_runs(whole, Runs(whole))] == [one.folder]
    assert runs.is_over(one) is False
    before = times_of_runs(whole.pool)
    bench = finished(folder / "tiny.yaml", whole.folder)
    after = times_of_runs(bench.pool)
    assert {name for name in after if after[name] != before.get(name)} == {one.folder.name}


def test_a_run_that_another_process_trains_is_waited_for(
    whole: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = whole.trunk(whole.at("tiny", "lion", read_results(whole)[0].arms[0].best_lr), 0)
    shutil.rmtree(one.folder)
    one.folder.mkdir()
    claim, waited = take(one.folder / LOCK, lock=True), []

    def the_other_process_ends(seconds: float) -> None:
        assert list(one.folder.iterdir()) == [one.folder / LOCK]
        claim.release()
        waited.append(seconds)

    monkeypatch.setattr(engine, "sleep", the_other_process_ends)
    bench = finished(folder / "tiny.yaml", whole.folder)
    assert len(waited) == 1
    assert list(next_runs(bench, Runs(bench))) == []


def test_the_half_rate_trains_the_baseline_at_half_its_best_rate(whole: Bench, folder: Path, content: dict) -> None:
    (folder / "half.yaml").write_text(yaml.safe_dump(content | {"null_arms": ["half-rate"]}))
    bench = Bench(read_declaration(folder / "half.yaml"), whole.folder.parent / "half")
    needed = list(next_runs(bench, Runs(bench)))
    best = read_results(whole)[0].baseline.best_lr
    assert [(run.recipe.seed, run.recipe.optimizer.lr) for run in needed] == [(0, best / 2), (1, best / 2)]


def test_a_rate_that_diverges_is_a_result_and_no_failure(whole: Bench, folder: Path, content: dict) -> None:
    content |= {"arms": {"wild": {"optimizer.kind": "sgd", "optimizer.lr": 1e30}}, "null_arms": [], "speed_up": []}
    (folder / "wild.yaml").write_text(yaml.safe_dump(content))
    bench = finished(folder / "wild.yaml", whole.folder.parent / "wild")
    wild = read_results(bench)[0].arms[0]
    assert all(rate.diverged for rate in wild.rates)
    assert [run.loss for run in wild.runs] == [math.inf, math.inf]
    assert wild.at_edge
    assert list(next_runs(bench, Runs(bench))) == []


def test_the_answer_of_what_is_there_trains_nothing(
    whole: Bench, folder: Path, content: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show_folder, "write", lambda report, out, documents, page: out / page)
    more = folder / "more.yaml"
    command = ("bench", more, "--out", whole.folder.parent / "more", "--status", "--json")
    more.write_text(yaml.safe_dump(content | {"seeds": 3, "null_arms": ["placebo"]}))
    before = times_of_runs(whole.pool)
    assert called_with(*command) == 0
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert [(arm["name"], arm["n"], arm["verdict"]) for arm in document["arms"]] == [
        ("lion", 2, "cannot-tell"), ("placebo", 2, "cannot-tell"),
    ]  # fmt: skip
    assert (document["complete"], document["errors"], document["baseline"]["n"]) == (False, [], 2)
    assert output.err == "zerosum: 2 runs can be trained now; others wait for them.\n"
    assert times_of_runs(whole.pool) == before
    more.write_text(yaml.safe_dump(content | {"set": {"optimizer.lr": 1e-4}}))
    assert called_with(*command) == 2
    assert "no reporting seed of the baseline is there yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--recipe", "tiny_25k"], "nothing to compare"),
        (["--arm", "muon"], "nothing to compare"),
        (["FILE", "--arm", "muon"], "a file and --arm"),
        (["--recipe", "tiny_25k", "--arm", "rho1:k=0.6,reference=nowhere"], "arm rho1: nowhere: "),
        (["FILE", "--executor", "slurm"], "sbatch is not found"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    file: Path, tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(file) if argument == "FILE" else argument for argument in arguments]
    assert called_with("bench", *given, "--out", tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]


def test_a_missing_package_is_named_before_anything_is_trained(file: Path, tmp_path: Path, monkeypatch) -> None:
    from zerosum.errors import MissingExtra
    from zerosum.training.optimizers.lion import LionSettings

    def missing(*_: object) -> None:
        raise MissingExtra("lion-pytorch", "lion")

    monkeypatch.setattr(LionSettings, "update", missing)
    bench = Bench(read_declaration(file), tmp_path / "out")
    with pytest.raises(InputError, match=r"arm lion: lion-pytorch: not installed.*pip install 'zerosum\[lion\]'"):
        identities_of(bench)
    assert not bench.folder.exists()


def test_a_partition_that_does_not_exist_is_one_line_and_loses_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    programs = pretend_slurm(tmp_path, monkeypatch)
    refusal = "sbatch: error: invalid partition specified: nowhere"
    (programs / "sbatch").write_text(f"#!/bin/sh\necho '{refusal}' >&2\nexit 1\n")
    command = ("bench", file, "--out", tmp_path / "out", "--executor", "slurm")
    assert called_with(*command) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "invalid partition specified: nowhere" in lines[0]

    (programs / "sbatch").write_text("#!/bin/sh\nprintf 'Submitted batch job 4711\\n'\n")
    assert called_with(*command, "--json") == 0
    waiting = json.loads(capsys.readouterr().out)["waiting"]
    assert len(waiting) == 6
