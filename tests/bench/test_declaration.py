"""What a bench declares: both ways of writing it, its hash, what is refused, and where its runs lie."""

from pathlib import Path

import pytest
import yaml

from zerosum.bench.arms import arm_changes, differences, notes
from zerosum.bench.engine import next_runs
from zerosum.bench.plan import Bench
from zerosum.bench.progress import Runs
from zerosum.bench.reading import declared, read_declaration, require_own_folder, write_declaration
from zerosum.errors import InputError
from zerosum.recipes import named_recipe
from zerosum.training.aggregators import AGGREGATORS
from zerosum.training.changes import with_changes
from zerosum.training.objectives import OBJECTIVES
from zerosum.training.optimizers import OPTIMIZERS

KINDS = [*OPTIMIZERS.names(), *OBJECTIVES.names(), *AGGREGATORS.names()]
SHORT = {"recipe": "tiny_25k", "arms": ["muon", "cautious", "reweighting:r=0.5"], "set": {"steps": 256}}


def test_what_it_writes_it_reads_again_with_the_same_hash(file: Path, tmp_path: Path) -> None:
    for number, declaration in enumerate([read_declaration(file), declared(SHORT, "the call")]):
        folder = tmp_path / str(number)
        write_declaration(declaration, folder)
        again = read_declaration(folder / "bench.yaml")
        assert again == declaration
        assert again.hash == declaration.hash
        require_own_folder(declaration, folder)


def test_the_short_form_and_a_file_declare_the_same(tmp_path: Path) -> None:
    arms = {
        "muon": "muon",
        "cautious": "cautious_adamw",
        "reweighting": {"objective.kind": "reweighting", "objective.r": 0.5},
    }
    (tmp_path / "a.yaml").write_text(yaml.safe_dump({"recipes": ["tiny_25k"], "arms": arms, "set": {"steps": 256}}))
    assert read_declaration(tmp_path / "a.yaml").hash == declared(SHORT, "the call").hash


def test_the_steps_of_whole_recipes_may_be_set_for_all(content: dict) -> None:
    without = {name: value for name, value in content["recipes"]["tiny"].items() if name != "steps"}
    with pytest.raises(InputError, match="steps"):
        declared({**content, "recipes": {"tiny": without}}, "a")
    for_all = {**content, "recipes": {"tiny": without}, "set": {"steps": "16", "checkpoints.per_doubling": 2}}
    assert declared(for_all, "a").recipes["tiny"].steps == 16


def test_where_jobs_run_is_no_part_of_the_hash_and_everything_else_is(content: dict) -> None:
    first = declared(content, "a").hash
    assert declared({**content, "slurm": {"partition": "gpu"}}, "a").hash == first
    for change in ({"seeds": 3}, {"rates": 4}, {"margin": 0.01}, {"set": {"optimizer.lr": 0.1}}, {"cooldown": 0.3}):
        assert declared({**content, **change}, "a").hash != first


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("adamw", "cross_entropy", "mean")])
def test_every_method_is_an_arm_by_its_name(kind: str) -> None:
    baseline = with_changes(named_recipe("tiny_100k"), {"optimizer.lr": 0.001, "steps": 512})
    changes = arm_changes(kind, baseline, {})
    recipe = with_changes(baseline, changes)
    assert kind in (recipe.optimizer.kind, recipe.objective.kind, recipe.aggregator.kind)
    assert recipe.optimizer.horizon in (None, 512)
    if kind != "rho1":  # its reference is a run of its own
        assert with_changes(named_recipe("tiny_250k"), arm_changes(kind, named_recipe("tiny_250k"), {}))


@pytest.mark.parametrize("name", ["tiny_100k", "mine"])
def test_an_arm_has_the_settings_of_the_baseline_that_both_have(name: str, tmp_path: Path) -> None:
    changes = {"optimizer.lr": 0.002, "optimizer.betas": [0.8, 0.9], "optimizer.eps": 1e-6, "optimizer.clip": 0.5}
    baseline = with_changes(named_recipe("tiny_100k"), {"name": name, **changes})
    (tmp_path / "mine.yaml").write_text(baseline.to_yaml())
    for arms in (
        ["cautious", "muon", "ademamix"],
        {kind: {"optimizer.kind": kind} for kind in ("cautious_adamw", "muon")},
    ):
        declared_once = declared({"recipes": ["mine.yaml"], "arms": arms}, "a", tmp_path)
        bench = Bench(declared(yaml.safe_load(declared_once.to_yaml()), "b"), tmp_path / "out")
        for arm in bench.declaration.arms:
            settings = bench.recipe(name, arm).optimizer
            assert (settings.clip, settings.eps) == (0.5, 1e-6)
            if settings.kind != "ademamix":
                assert settings.betas == (0.8, 0.9)
            assert getattr(settings, "adamw_lr", settings.lr) == pytest.approx(0.002)
            assert "betas" not in str(differences(bench.recipe(name, arm), baseline)) or settings.kind == "ademamix"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"armss": {}}, "armss: not known. Did you mean arms?"),
        ({"arms": {}}, "arms: Dictionary should have at least 1 item"),
        ({"arms": {"a": {"optimizer.kind": "mun"}}}, "optimizer 'mun': not known. Did you mean muon?"),
        ({"arms": {"a": "muonn"}}, "arm muonn: not known: neither a recipe nor one of"),
        ({"arms": {"a": {}}}, "arm a: changes nothing"),
        (
            {"arms": {"a": {"optimizer.lr": 0.004}}},
            "arm a: changes only optimizer.lr: every arm is tuned over the rate",
        ),
        (
            {"arms": {"a": {"optimizer.lr": 0.01, "optimizer.weight_decay": 0.3}}},
            "arm a: changes only optimizer.lr and optimizer.weight_decay",
        ),
        ({"arms": {"baseline": {"optimizer.betas": [0.9, 0.5]}}}, "arm baseline: this name is taken"),
        *(({"arms": {name: "muon"}}, f"arm {name}: this name is taken") for name in ("placebo", "half-rate", "bigram")),
        ({"arms": {"a": {1: 2}}}, "arm a: differs from the baseline in 1, which is no method"),
        (
            {"arms": {"a": {"schedule.warmup_steps": 12}}},
            "arm a, tiny: schedule.warmup_steps 12 is not below the 4",
        ),
        ({"tuning_seeds": True}, "tuning_seeds: should be a list of values, not True"),
        ({"arms": {"a": {"batch.sequences": 8}}}, "arm a: differs from the baseline in batch.sequences"),
        ({"arms": {"a": {"seed": 8}}}, "arm a: differs from the baseline in seed"),
        ({"arms": {"a": "tiny_25k_muon"}}, "arm tiny_25k_muon: differs from the baseline in steps"),
        ({"arms": {"a": "rho1:k=2,reference=x"}}, "objective.k: should be less than or equal to 1, not 2"),
        ({"seeds": [0, 1000]}, "tuning_seeds: 1000 is a reporting seed"),
        ({"seeds": [0, 0]}, "seeds: a value is repeated"),
        ({"seeds": 1}, "seeds: "),
        ({"rates": 2}, "rates: should be greater than or equal to 3, not 2"),
        ({"speed_up": [0.5, 2.0]}, "speed_up: the horizon itself, 1, is missing"),
        ({"levels": [1.0, 2.0]}, "are not two or more falling losses"),
        ({"set": {"schedule.kind": "cosine"}}, "schedule cosine: a trunk has a constant rate"),
        ({"set": {"schedule.warmup_steps": 12}}, "schedule.warmup_steps 12 is not below the 4 updates of a tuning run"),
        ({"null_arms": ["placeboo"]}, "null_arms.0: "),
        ({"recipes": ["tiny_25kk"]}, "tiny_25kk: not known. Did you mean tiny_25k?"),
    ],
)
def test_the_impossible_is_one_line(content: dict, change: dict, words: str) -> None:
    with pytest.raises(InputError) as caught:
        declared({**content, **change}, "a.yaml")
    assert words in str(caught.value)
    assert str(caught.value).startswith("a.yaml: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("arms: [")
    (tmp_path / "b.yaml").write_text("- 1")
    for name in ("a.yaml", "b.yaml", "c.yaml"):
        with pytest.raises(InputError, match=r"cannot be read as a bench|not a mapping"):
            read_declaration(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": 3}, r"seeds: \[0, 1\] there, \[0, 1, 2\] now"),
        ({"rates": 5}, "rates: 3 there, 5 now"),
        ({"set": {"optimizer.lr": 0.1}}, r"tiny: optimizer\.lr: 0\.064, not 0\.1 now"),
        ({"arms": {"sgd": {"optimizer.kind": "sgd"}}}, r"arms\.lion: .* there, absent now"),
    ],
)
def test_another_declaration_in_the_folder_is_refused(content: dict, tmp_path: Path, change: dict, words: str) -> None:
    write_declaration(declared(content, "a"), tmp_path)
    with pytest.raises(InputError, match=words):
        require_own_folder(declared({**content, **change}, "a"), tmp_path)


def test_benches_of_one_baseline_share_its_runs(content: dict, tmp_path: Path) -> None:
    one = Bench(declared(content, "a"), tmp_path / "one")
    other = Bench(
        declared({**content, "arms": {"sgd": {"optimizer.kind": "sgd"}}, "seeds": 4}, "b"), tmp_path / "other"
    )
    recipes = [bench.at("tiny", "baseline", 0.002) for bench in (one, other)]
    trunks = [bench.trunk(recipe, 1) for bench, recipe in zip((one, other), recipes, strict=True)]
    assert trunks[0] == trunks[1]
    assert one.cooled(trunks[0], 8) == other.cooled(trunks[1], 8)
    folders = {
        run.folder.name
        for rate in (0.002, 0.004)
        for seed in (0, 1)
        for trunk in [one.trunk(one.at("tiny", "baseline", rate), seed)]
        for run in (trunk, one.placebo(trunk), one.cooled(trunk, 8), one.cooled(trunk, 4), one.extension(trunk, 1.5))
    }
    assert len(folders) == 4 * 5


def test_what_differs_beside_the_method_is_named(content: dict, tmp_path: Path) -> None:
    bench = Bench(declared({**content, "set": {"optimizer.weight_decay": 0.1}}, "a"), tmp_path)
    plain, lion = bench.recipe("tiny"), bench.at("tiny", "lion", 0.002)
    assert notes(lion, plain) == ()
    assert lion.optimizer.lr * lion.optimizer.weight_decay == pytest.approx(plain.optimizer.lr * 0.1)
    for changes, code in (
        ({"optimizer.clip": 0.5}, "other-clip"),
        ({"batch.passes": 2}, "other-accumulation"),
        ({"optimizer.weight_decay": 0.2}, "other-decay"),
        ({"optimizer.decay_embeddings": False}, "other-groups"),
        ({"optimizer.kind": "ademamix", "optimizer.betas": [0.9, 0.99, 0.9999]}, "other-b2"),
        ({"optimizer.kind": "muon", "optimizer.adamw_lr": 0.4 * plain.optimizer.lr}, "other-second-rate"),
        ({"optimizer.kind": "muon", "optimizer.adamw_lr": 2.5 * plain.optimizer.lr}, "other-second-rate"),
        ({"schedule.warmup_steps": 20}, "other-warmup"),
        ({"batch.length": 4}, "other-batch"),
        ({"objective.kind": "reweighting"}, "weighted-loss"),
    ):
        assert code in notes(with_changes(plain, changes), plain)
    assert notes(with_changes(plain, {"optimizer.betas": [0.9, 0.5]}), plain) == ()  # then it is the method
    near = {"optimizer.kind": "muon", "optimizer.adamw_lr": 2 * plain.optimizer.lr}  # one step of the grid
    assert "other-second-rate" not in notes(with_changes(plain, near), plain)
    assert "warmup-longer-than-run" in notes(with_changes(plain, {"schedule.warmup_steps": 20}), plain)


def test_the_first_study_is_declared_as_it_says(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "docs" / "studies" / "first"
    bench = Bench(read_declaration(folder / "bench.yaml"), tmp_path / "first")
    needed = list(next_runs(bench, Runs(bench)))
    assert len(needed) == 3 * 5 * 5  # sizes, arms with the baseline, rates
    assert {run.recipe.steps for run in needed} == {16384 + 3277}
    muon = bench.recipe("50k", "muon").optimizer
    assert (muon.lr, muon.adamw_lr, muon.betas, muon.weight_decay) == (0.02, 1.4e-3, (0.9, 0.95), 0.0)
    assert all(run.recipe.learning_rate(16384) == run.recipe.optimizer.lr for run in needed)
    for name in ("25k", "sizes"):
        assert read_declaration(folder / f"{name}.yaml").hash == read_declaration(folder / name / "bench.yaml").hash
    other = read_declaration(folder / "robustness.yaml")
    assert (other.recipes["bpe"].data.kind, other.seeds, list(other.arms)) == ("tokens", (0, 1, 2), ["muon"])
