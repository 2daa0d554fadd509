"""Where everything of a run lies."""

import json
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from zerosum.atomic import write_text
from zerosum.curves import LossCurve, read_curve
from zerosum.curves.folders import run_log
from zerosum.deceleration import Analysis
from zerosum.gradients import STORE as GRADIENTS
from zerosum.losses import STORE as LOSSES
from zerosum.losses import open_store

MEASURED = "zerosum"  # the folder of what was measured, inside the run directory


@dataclass(frozen=True)
class RunDirectory:
    """A run directory: `checkpoint-<step>/`, a loss log, and in `zerosum/` what was measured. Nothing need be there."""

    path: Path

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
        return self.measured / LOSSES

    @property
    def gradients(self) -> Path:
        """The store of per-token gradients."""
        return self.measured / GRADIENTS

    @property
    def dissent(self) -> Path:
        """The folder of gradient dissent."""
        return self.measured / "dissent"

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
        run = cls(store.absolute().parent.parent)
        return run if store.absolute() == run.losses else None


def losses_of(source: str | Path) -> Path:
    """The store of per-token losses of a run directory that holds one; else the source itself."""
    inside = RunDirectory(Path(source)).losses
    return inside if inside.is_dir() else Path(source)


def open_losses(source: str | Path) -> tuple[Path, xr.Dataset]:
    """Path and content of `losses_of(source)`. Raises InputError where that is no store of per-token losses."""
    path = losses_of(source)
    return path, open_store(path)
