import json
import resource
import shutil
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
import torch
from on_step import OnStep
from torch.nn import functional
from transformers import AutoModelForCausalLM, AutoTokenizer

from zerosum.errors import InputError
from zerosum.training import batch, run_folder, train
from zerosum.training.callback import BeforeStep, Callback
from zerosum.training.models import count_parameters
from zerosum.training.optimizers.adamw import AdamWSettings
from zerosum.training.recipe import Recipe


def names(run: Path) -> set[str]:
    return {path.name for path in run.iterdir()}


def rows(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def contents(run: Path) -> dict[str, bytes]:
    """Every byte of a run directory; of resume states the values, for equal ones can be pickled differently."""
    files = {str(path.relative_to(run)): path for path in run.rglob("*") if path.is_file()}
    return {name: values(path) if path.suffix == ".pt" else path.read_bytes() for name, path in files.items()}


def values(path: Path) -> bytes:
    saved = torch.load(path, weights_only=True)
    flat, shape = torch.utils._pytree.tree_flatten(saved)
    return b"|".join(x.numpy().tobytes() if isinstance(x, torch.Tensor) else repr(x).encode() for x in [*flat, shape])


class Stop(Exception):
    """Stands for anything that ends a run early."""


def stop_after(step: int) -> OnStep:
    def stop(at: int, loss: float) -> None:
        if at == step:
            raise Stop

    return OnStep(stop)


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> Path:
    train(recipe, tmp_path / "run")
    return tmp_path / "run"


def test_run_directory_holds_what_it_promises(run: Path, recipe: Recipe) -> None:
    checkpoints = {f"checkpoint-{step}" for step in (0, 1, 2, 4, 8, 12)}
    assert names(run) == checkpoints | {"metrics.jsonl", "recipe.yaml", "data.json"}
    assert Recipe.load(run / "recipe.yaml") == recipe
    for name in checkpoints:
        assert {"config.json", "model.safetensors", "tokenizer.json", "training_state.pt"} <= names(run / name)


def test_checkpoints_load_as_hugging_face_folders(run: Path, recipe: Recipe) -> None:
    folder = run / "checkpoint-12"
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert sum(p.numel() for p in model.parameters()) == count_parameters(recipe.model)
    ids = AutoTokenizer.from_pretrained(folder)("é = 1")["input_ids"]
    assert ids == list("é = 1".encode())
    assert model(torch.tensor([ids])).logits.shape == (1, 6, 257)


def test_row_t_is_the_loss_of_checkpoint_t_minus_1_on_its_own_batch(run: Path, recipe: Recipe) -> None:
    written = rows(run)
    assert [row["step"] for row in written] == list(range(1, 13))
    assert [row["tokens_seen"] for row in written] == [32 * step for step in range(1, 13)]
    assert [row["lr"] for row in written] == [2.5e-4] + [5e-4] * 11
    assert all(row["grad_norm"] > 0 for row in written)
    for step in (0, 1, 8):
        model = AutoModelForCausalLM.from_pretrained(run / f"checkpoint-{step}")
        tokens = torch.from_numpy(batch(recipe, step).ids)
        loss = functional.cross_entropy(model(tokens[:, :-1]).logits.flatten(0, 1), tokens[:, 1:].flatten())
        assert written[step]["loss"] == pytest.approx(loss.item(), abs=1e-5)


def test_training_learns(recipe: Recipe, tmp_path: Path) -> None:
    longer = recipe.model_copy(update={"steps": 200, "optimizer": AdamWSettings(lr=1e-2), "resume_every": 1000})
    losses: dict[int, float] = {}
    train(longer, tmp_path, callbacks=(OnStep(losses.__setitem__),))
    assert losses[200] < 0.6 * losses[1]
    tokens = torch.from_numpy(longer.data.open().held_out(20, 8).ids)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "checkpoint-200")
    loss = functional.cross_entropy(model(tokens[:, :-1]).logits.flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() < 0.6 * np.log(257)


def test_same_recipe_twice_gives_the_same_bytes(run: Path, recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path / "again")
    assert contents(tmp_path / "again") == contents(run)


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=() if step in (1, 4, 7, 12) else pytest.mark.long) for step in range(1, 13)]
)
def test_run_stopped_after_any_step_ends_the_same(run: Path, recipe: Recipe, tmp_path: Path, step: int) -> None:
    stopped = tmp_path / "stopped"
    with pytest.raises(Stop):
        train(recipe, stopped, callbacks=(stop_after(step),))
    made: list[int] = []
    train(recipe, stopped, callbacks=(OnStep(lambda at, loss: made.append(at)),))
    assert contents(stopped) == contents(run)
    assert len(made) <= 12 - step + recipe.resume_every
    assert made == list(range(12 - len(made) + 1, 13))


def test_finished_run_is_not_repeated(run: Path, recipe: Recipe) -> None:
    before = contents(run)
    (run / "checkpoint-12").joinpath("model.safetensors").touch()
    train(recipe, run, callbacks=(OnStep(lambda step, loss: pytest.fail("a step was made")),))
    assert contents(run) == before


@pytest.mark.parametrize("step", [0, 4])
@pytest.mark.parametrize("finished", [True, False])
def test_lost_checkpoint_is_said(recipe: Recipe, tmp_path: Path, step: int, finished: bool) -> None:
    if finished:
        train(recipe, tmp_path)
    else:
        with pytest.raises(Stop):
            train(recipe, tmp_path, callbacks=(stop_after(7),))
    shutil.rmtree(tmp_path / f"checkpoint-{step}")
    before = contents(tmp_path)
    with pytest.raises(InputError, match=f"checkpoint-{step}: lost.* or delete {tmp_path} and start"):
        train(recipe, tmp_path)
    assert contents(tmp_path) == before


def test_checkpoint_without_weights_is_said(recipe: Recipe, tmp_path: Path) -> None:
    train(recipe, tmp_path)
    (tmp_path / "checkpoint-12" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="checkpoint-12: lost, or without"):
        train(recipe, tmp_path)


def test_lost_last_checkpoint_is_made_again(run: Path, recipe: Recipe) -> None:
    whole = contents(run)
    shutil.rmtree(run / "checkpoint-12")
    train(recipe, run)
    assert contents(run) == whole


def test_log_damaged_below_a_checkpoint_is_made_again(run: Path, recipe: Recipe) -> None:
    whole = contents(run)
    lines = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    (run / "metrics.jsonl").write_bytes(b"".join(lines[:5]) + lines[5][:20])
    made: list[int] = []
    train(recipe, run, callbacks=(OnStep(lambda at, loss: made.append(at)),))
    assert made == list(range(5, 13))
    assert contents(run) == whole


def test_only_the_newest_resume_state_is_kept(recipe: Recipe, tmp_path: Path) -> None:
    seen = {}

    def resume_states() -> list[str]:
        return [name for name in names(tmp_path) if name.startswith("resume")]

    class Look(Callback):
        def before_step(self, context: BeforeStep) -> None:
            seen[context.step] = resume_states()

    train(recipe, tmp_path, callbacks=(Look(),))
    assert seen[3] == ["resume-3"]
    assert seen[4] == []  # checkpoint-4 is newer
    assert seen[6] == seen[7] == ["resume-6"]
    assert seen[9] == seen[11] == ["resume-9"]
    assert resume_states() == []


def test_other_recipe_is_refused_and_nothing_is_touched(run: Path, recipe: Recipe) -> None:
    before = contents(run)
    with pytest.raises(InputError, match=r"another recipe \(seed: 5, not 6\)\. Choose another folder"):
        train(recipe.model_copy(update={"seed": 6}), run)
    assert contents(run) == before


def test_foreign_folder_is_refused_and_nothing_is_touched(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something that is not a run"):
        train(recipe, tmp_path)
    assert contents(tmp_path) == {"thesis.tex": b"years of work"}


def test_other_files_in_a_run_are_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        train(recipe, tmp_path, callbacks=(stop_after(3),))
    kept = ["notes.txt", "mine.part", "zerosum/losses.zarr.part", "checkpoint-best/x", "resume-notes/x"]
    for name in kept:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    left = ["checkpoint-8.part/half", "resume-9.part/half", "metrics.jsonl.part"]
    for name in left:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("half")
    train(recipe, tmp_path)
    assert all((tmp_path / name).read_text() == "mine" for name in kept)
    assert not any((tmp_path / name).exists() for name in left)


def test_other_text_is_refused(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        train(recipe, tmp_path, callbacks=(stop_after(3),))
    facts = json.loads((tmp_path / "data.json").read_text())
    (tmp_path / "data.json").write_text(json.dumps(facts | {"sha256": "0" * 64}))
    with pytest.raises(InputError, match="began with other data"):
        train(recipe, tmp_path)


def test_second_process_is_kept_out(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "locked", partial(run_folder.locked, patience=0.2))
    with run_folder.locked(tmp_path), pytest.raises(InputError, match="another process is training here"):
        train(recipe, tmp_path)
    train(recipe, tmp_path)


def test_run_begins_once_the_other_process_has_ended(recipe: Recipe, tmp_path: Path) -> None:
    first = ExitStack()
    first.enter_context(run_folder.locked(tmp_path))
    Timer(0.3, first.close).start()
    train(recipe, tmp_path)
    assert (tmp_path / "checkpoint-12").is_dir()


def test_place_that_cannot_be_written_is_one_line(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(InputError, match="cannot be written") as caught:
            train(recipe, place)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("limit", [100, 2_000, 8_000, 60_000])
def test_disk_that_fills_up_is_one_line_and_the_run_continues_later(
    recipe: Recipe, tmp_path: Path, run: Path, limit: int
) -> None:
    # A limit on the size of one file fails like a full disk does, wherever the limit bites first.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(InputError, match="cannot be written") as caught:
            train(recipe, tmp_path / "full")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    train(recipe, tmp_path / "full")
    assert contents(tmp_path / "full") == contents(run)


def test_error_of_the_callback_is_its_own(recipe: Recipe, tmp_path: Path) -> None:
    def broken_pipe(step: int, loss: float) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        train(recipe, tmp_path, callbacks=(OnStep(broken_pipe),))


def test_divergence_is_said_with_its_step(recipe: Recipe, tmp_path: Path) -> None:
    hot = recipe.model_copy(update={"optimizer": AdamWSettings(lr=1e30)})
    with pytest.raises(InputError, match=r"training diverged at step \d+ .*below 1e\+30"):
        train(hot, tmp_path)


def test_nothing_is_printed_and_the_callers_generator_and_threads_stay(
    recipe: Recipe, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    train(recipe, tmp_path)
    assert capfd.readouterr() == ("", "")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_batch_that_cannot_be_shared_is_said(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "num_processes", property(lambda self: 3))
    with pytest.raises(InputError, match=r"batch\.sequences 4 cannot be shared evenly by 3 processes"):
        train(recipe, tmp_path)
