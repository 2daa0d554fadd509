"""A training run: its checkpoints sorted by step, its loss curve, and the problems with its checkpoints."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zerosum.checkpoints.average_form import Averaged
from zerosum.checkpoints.configurations import other_configurations
from zerosum.checkpoints.hub import HubRevision
from zerosum.checkpoints.kinds import kind_of
from zerosum.checkpoints.problems import Problem, gaps, identical_weights, misfit_tokenizers
from zerosum.checkpoints.weights import Weights
from zerosum.curves import LossCurve, read_curve
from zerosum.curves.folders import run_log
from zerosum.errors import InputError
from zerosum.missing import UNKNOWN_STEP

CONFIGS = ("config.json", "config.yaml")  # Hugging Face, OLMo; other kinds keep the settings in the weight file


@dataclass(frozen=True)
class Checkpoint:
    """The weights after `step` optimizer updates; UNKNOWN_STEP where nothing states it, only of a checkpoint by itself.

    location: a folder or file, or a revision on the hub, which is downloaded when it is needed. tokens_seen: training
    tokens up to this step; None where neither the log, the name nor the files of the checkpoint state it. averaged:
    what its weights are the mean of; None for the weights of that step themselves.
    """

    step: int
    location: Path | HubRevision
    tokens_seen: int | None = None
    averaged: Averaged | None = None

    @property
    def known_step(self) -> int | None:
        """The step; None where it is not known."""
        return None if self.step == UNKNOWN_STEP else self.step

    @property
    def path(self) -> Path:
        """Its folder or file. A revision on the hub is downloaded on first use: its folder in the local cache."""
        return self.location if isinstance(self.location, Path) else self.location.folder()

    @property
    def name(self) -> str:
        """Its path or OWNER/NAME@REVISION, for messages."""
        return str(self.location) if isinstance(self.location, Path) else self.location.name

    def weights(self) -> Weights:
        """The files with its weights. Raises InputError where a file is missing."""
        path = self.path
        kind = kind_of(path)
        if kind is None:
            raise not_a_checkpoint(path)
        return kind.weights(path)

    def weight_hash(self) -> str:
        """SHA-256 of its tensors, in hexadecimal; the same in every file format (see `Weights.hash`)."""
        return self.weights().hash()

    def config_hash(self) -> str:
        """SHA-256 of the settings files beside its weights, in hexadecimal."""
        files = (self.path / name for name in CONFIGS)
        return hashlib.sha256(b"".join(file.read_bytes() for file in files if file.is_file())).hexdigest()


@dataclass(frozen=True)
class Run:
    """A training run: a folder of checkpoints, a list of them, or revisions of a model on the hub.

    path: the folder for its measurements: the run directory; the folder that holds all listed checkpoints; for the
    hub, a folder named after the model. checkpoints: sorted by step, one per step, without those that are still being
    written (`*.part`). average: "" for the weights of each step; else the name of the average that they are, as
    `last-64`, which the names of its measurements contain. not_averaged: steps of checkpoints that are left out,
    because there is no such average that ends there.
    """

    path: Path
    checkpoints: tuple[Checkpoint, ...]
    average: str = ""
    not_averaged: tuple[int, ...] = ()

    def curve(self) -> LossCurve:
        """The training loss at every logged step, from our own log, or else from another log in the folder."""
        return read_curve(run_log(self.path))

    @property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Pairs of successive steps between which checkpoints are missing, judged by the spacing around them."""
        return gaps([checkpoint.step for checkpoint in self.checkpoints])

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """Problems for which a checkpoint should be left out. Reads all weights once, downloading them where needed.

        Codes: `identical-weights`: several steps have the same weights. `tokenizer-does-not-fit`: the tokenizer has
        ids beyond the model's vocabulary. `other-configuration`: its settings differ
        from those of most checkpoints. Raises InputError where weights are missing or truncated.
        """
        hashes = {checkpoint.step: checkpoint.weight_hash() for checkpoint in self.checkpoints}
        folders = {checkpoint.step: checkpoint.path for checkpoint in self.checkpoints}
        return (*identical_weights(hashes), *misfit_tokenizers(folders), *other_configurations(folders))

    @cached_property
    def configuration_problems(self) -> tuple[Problem, ...]:
        """Those of code `other-configuration`, of the checkpoints on this machine: nothing is downloaded."""
        local = (checkpoint for checkpoint in self.checkpoints if isinstance(checkpoint.location, Path))
        return tuple(other_configurations({checkpoint.step: checkpoint.path for checkpoint in local}))


def not_a_checkpoint(path: Path) -> InputError:
    """The error for a file or folder that is no checkpoint of a known kind."""
    if path.is_dir() and (any(path.glob("*.distcp")) or any(path.glob("*/*.distcp"))):
        return InputError(
            f"{path}: a sharded checkpoint (.distcp). Merge it into one file first: "
            "python -m torch.distributed.checkpoint.format_utils dcp_to_torch, or the program that wrote it."
        )
    if path.is_dir():
        return InputError(
            f"{path}: no model.safetensors in it, and no other weights of a known kind (a Hugging Face folder, or "
            "OLMo's config.yaml with an unsharded model.pt). Copy it again, or move the folder elsewhere."
        )
    return InputError(
        f"{path}: not a checkpoint file of a known kind (ckpt.pt of nanoGPT, .ckpt of Lightning), or damaged. Copy it "
        "again, or give a Hugging Face folder."
    )
