"""Where everything of a run lies."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from zerosum.atomic import write_text
from zerosum.checkpoints import parse_average
from zerosum.curves import LossCurve, read_curve
from zerosum.curves.folders import run_log
from zerosum.deceleration import Analysis
from zerosum.errors import InputError
from zerosum.gradients import STORE as GRADIENTS
from zerosum.losses import STORE as LOSSES
from zerosum.losses import open_store

_OF_AVERAGE = re.compile(r"losses-(last-\d+|ema-[0-9.e-]+|mean-of-steps)\.zarr", re.ASCII)
RECIPE = "recipe.yaml"  # of a run of zerosum train
MEASURED = "zerosum"  # the folder of what was measured, inside the run directory


@dataclass(frozen=True)
class RunDirectory:
    """A run directory: `checkpoint-<step>/`, a loss log, and in `zerosum/` what was measured. Nothing need be there.

    average: whose measurements are meant: "" for those of the weights of each step, or the name of an average of
    weights, as `last-64`.
    """

    path: Path
    average: str = ""

    @property
    def name(self) -> str:
        """What people call the run: the name of its folder."""
        return self.path.resolve().name

    @property
    def log(self) -> Path:
        """Our own loss log where there is one, else the folder itself, in which `read_curve` looks for one."""
        return run_log(self.path)

    @property
    def measured(self) -> Path:
        """The folder of what was measured; the page `report.html` and `figures/` are written into it."""
        return self.path / MEASURED

    @property
    def losses(self) -> Path:
        """The store of per-token losses."""
        return self.measured / self._named(LOSSES)

    @property
    def gradients(self) -> Path:
        """The store of per-token gradients."""
        return self.measured / self._named(GRADIENTS)

    @property
    def dissent(self) -> Path:
        """The folder of gradient dissent."""
        return self.measured / self._named("dissent")

    @property
    def averages(self) -> "tuple[RunDirectory, ...]":
        """This run with each average of weights whose per-token losses were measured."""
        names = {
            match[1] for path in self.measured.glob("losses-*.zarr") if (match := _OF_AVERAGE.fullmatch(path.name))
        }
        return tuple(RunDirectory(self.path, name) for name in sorted(names))

    def _named(self, name: str) -> str:
        """The name of a measurement, with the average it is of: losses-last-64.zarr."""
        stem, dot, suffix = name.partition(".")
        return f"{stem}-{self.average}{dot}{suffix}" if self.average else name

    @property
    def harms(self) -> Path:
        """The folder of harm matrices."""
        return self.measured / "harms"

    @property
    def branches(self) -> Path:
        """The folder of branches on other orders of the data."""
        return self.path / "branches"

    @property
    def fit(self) -> Path:
        """The fit of the loss curve as JSON."""
        return self.measured / "fit.json"

    def curve(self) -> LossCurve:
        """The training loss of every logged step. Raises InputError where no log is found."""
        return read_curve(self.log)

    def write_fit(self, analysis: Analysis) -> None:
        """Write `fit`: what `zerosum fit --json` says of the run's loss curve."""
        self.measured.mkdir(parents=True, exist_ok=True)
        write_text(self.fit, json.dumps(analysis.to_json(), indent=2, allow_nan=False) + "\n")

    @classmethod
    def of_losses(cls, store: Path) -> "RunDirectory | None":
        """The run directory that a store of per-token losses lies in, None where it lies by itself."""
        match = _OF_AVERAGE.fullmatch(store.name)
        run = cls(store.absolute().parent.parent, match[1] if match else "")
        return run if store.absolute() == run.losses else None


def measuring(verb: str, source: str | Path) -> str:
    """The command that measures a run: on the held-out text of its recipe where it has one, else on texts to name."""
    texts = "" if (Path(source) / RECIPE).is_file() else " --data TEXTS"
    return f"zerosum {verb} {shlex.quote(str(source))}{texts}"


def losses_of(source: str | Path, average: str | None = None) -> Path:
    """The store of per-token losses of a run directory that holds one; else the source itself.

    average: of weights, as "last:64". Raises InputError where its losses were not measured.
    """
    inside = RunDirectory(Path(source), parse_average(average).place if average else "").losses
    if average and not inside.is_dir():
        command = f"{measuring('losses', source)} --average {average}"
        raise InputError(f"{source}: losses of the average {average} were not measured. Measure them: {command}")
    return inside if inside.is_dir() else Path(source)


def open_losses(source: str | Path, average: str | None = None) -> tuple[Path, xr.Dataset]:
    """Path and content of `losses_of(source, average)`. Raises InputError where that is no store of such losses."""
    path = losses_of(source, average)
    return path, open_store(path)
