"""A run: its checkpoints in order, its loss curve, and what is wrong with them."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zerosum.checkpoints.hub import HubRevision
from zerosum.checkpoints.kinds import kind_of
from zerosum.checkpoints.problems import Problem, gaps, identical_weights, misfit_tokenizers
from zerosum.checkpoints.weights import Weights
from zerosum.curves import LossCurve, read_curve
from zerosum.curves.folders import run_log
from zerosum.errors import InputError

CONFIGS = ("config.json", "config.yaml")  # of Hugging Face and of OLMo; other kinds have theirs with the weights


@dataclass(frozen=True)
class Checkpoint:
    """The weights after `step` optimizer updates.

    location: a folder or file, or a revision on the hub, which is downloaded when it is needed. tokens_seen: training
    tokens until then; None where neither the run nor a name says.
    """

    step: int
    location: Path | HubRevision
    tokens_seen: int | None = None

    @property
    def path(self) -> Path:
        """Its folder or file; of a revision on the hub, the folder in the local cache, downloaded on first use."""
        return self.location if isinstance(self.location, Path) else self.location.folder()

    @property
    def name(self) -> str:
        """As people write it, for messages."""
        return str(self.location) if isinstance(self.location, Path) else self.location.name

    def weights(self) -> Weights:
        """Its files. Raises InputError where one is missing."""
        path = self.path
        kind = kind_of(path)
        if kind is None:
            raise not_a_checkpoint(path)
        return kind.weights(path)

    def weight_hash(self) -> str:
        """SHA-256 of what the tensors hold, in hexadecimal; the same in every file format (see `Weights.hash`)."""
        return self.weights().hash()

    def config_hash(self) -> str:
        """SHA-256 of the files beside its weights that say what to make of them, in hexadecimal."""
        files = (self.path / name for name in CONFIGS)
        return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


@dataclass(frozen=True)
class Run:
    """A training run: a folder of checkpoints, a list of them, or revisions of a model on the hub.

    path: where what is measured belongs: the run directory, the folder that holds all of a list, or, for the hub, a
    folder of the model's name. checkpoints: sorted by step, each step once. Those still being written (`*.part`) are
    not among them.
    """

    path: Path
    checkpoints: tuple[Checkpoint, ...]

    def curve(self) -> LossCurve:
        """The training loss of every logged step: of our own log where there is one, else of what the folder holds."""
        return read_curve(run_log(self.path))

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Pairs of successive steps with checkpoints missing between them, by the spacing of those around."""
        return gaps([checkpoint.step for checkpoint in self.checkpoints])

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """What makes a checkpoint unfit to be averaged in. Reads all weights, fetched from the hub where needed, once.

        `identical-weights`: two steps are one model. `tokenizer-does-not-fit`: it has ids beyond the model's
        vocabulary. Raises InputError where weights are missing or truncated.
        """
        hashes = {checkpoint.step: checkpoint.weight_hash() for checkpoint in self.checkpoints}
        folders = {checkpoint.step: checkpoint.path for checkpoint in self.checkpoints}
        return (*identical_weights(hashes), *misfit_tokenizers(folders))


def not_a_checkpoint(path: Path) -> InputError:
    """What to say of a file or folder that is of no kind of checkpoint."""
    if path.is_dir() and (any(path.glob("*.distcp")) or any(path.glob("*/*.distcp"))):
        return InputError(
            f"{path}: a sharded checkpoint (.distcp). Make one file of it first: "
            "python -m torch.distributed.checkpoint.format_utils dcp_to_torch, or the program that wrote it."
        )
    if path.is_dir():
        return InputError(
            f"{path}: no model.safetensors in it, nor other weights that are known: a Hugging Face folder, config.yaml "
            "with model.pt (OLMo, unsharded). Copy it again, or move the folder elsewhere."
        )
    return InputError(
        f"{path}: no checkpoint that is known: ckpt.pt of nanoGPT, .ckpt of Lightning, or damaged. Copy it again, or "
        "give a Hugging Face folder."
    )
