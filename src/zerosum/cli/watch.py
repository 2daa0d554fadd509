"""`zerosum watch`: follow a running job in the terminal, from its log alone."""

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.options import Details
from zerosum.cli.sources import AsJson, each, finish, print_json
from zerosum.errors import InputError
from zerosum.show.names import printable

if TYPE_CHECKING:
    from rich.text import Text

    from zerosum.runs import Mirror, Progress
    from zerosum.show.report import Report

GROUP = "read"
EPILOG = "Ctrl-C ends it. A log that is not there yet is waited for. Where stdout is no terminal, as with --once."
AT_WORK = 10  # of a look and the pause after it, at most one part in so many is spent on the look
WIDTH = 80  # columns that are used of a wider terminal


def watch(
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help="Run folder, or a log: of the live monitor, metrics.jsonl, trainer_state.json, TensorBoard, ...",
            show_default=False,
        ),
    ],
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Pause between two looks at the log.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Print one screen and end.")] = False,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Follow a running job: step, loss, verdict so far, expected end, D and M of the live monitor, its warnings.

    Each look reads only what was appended to the log. --json and --details are of one look, as with --once.
    """
    if as_json or once or details or not sys.stdout.isatty():
        _once(run, as_json, details)
        return
    try:
        _follow(Path(run), every)
    except KeyboardInterrupt:
        return


def _once(run: str, as_json: bool, details: bool) -> None:
    from zerosum.runs import read_progress

    done, failed = each([(run, Path(run))], read_progress)
    if as_json:
        print_json("runs", [progress.to_json() for _, progress in done], failed)
    else:
        from zerosum.show.terminal import screen, show

        for _, progress in done:
            if details:
                show(_report(progress), details)
            else:
                screen().print(_screen(progress))
    finish(failed, 1)


def _follow(run: Path, every: float) -> None:
    from rich.live import Live

    from zerosum.runs import Mirror
    from zerosum.show.terminal import screen

    with TemporaryDirectory() as folder, Live(console=screen(), auto_refresh=False) as live:
        looks = _Looks(Mirror(run, Path(folder)))
        while True:
            began = time.monotonic()
            live.update(looks.screen(), refresh=True)
            time.sleep(max(every, AT_WORK * (time.monotonic() - began)))


class _Looks:
    """Looks at a growing log, one after the other."""

    def __init__(self, mirror: "Mirror"):
        self._mirror = mirror
        self._progress: Progress | None = None
        self._first: tuple[float, int] | None = None

    def screen(self) -> "Text":
        """Look once; what the log says now, and why it cannot be read where it cannot."""
        from rich.text import Text

        from zerosum.runs import read_progress

        problem = ""
        try:
            if self._mirror.update():
                self._progress = read_progress(self._mirror.path, self._mirror.source, self._progress)
        except InputError as error:
            text = str(error).replace(str(self._mirror.path), str(self._mirror.source))
            problem = f"waiting: {printable(' '.join(text.split()), 200)}"
        if self._progress is None:
            return Text(problem)
        shown = _screen(self._progress, self._speed(self._progress))
        return shown.append(f"\n{problem}", style="dim") if problem else shown

    def _speed(self, progress: "Progress") -> str:
        """Steps in a second since the first look, and how long the rest takes."""
        now = time.monotonic()
        first, at = self._first or (now, progress.step)
        self._first = first, at
        if progress.step <= at:
            return ""
        speed = (progress.step - at) / (now - first)
        left = (progress.total_steps or 0) - progress.step
        return f"{speed:.3g} steps/s" + (f", {_duration(left / speed)} left" if left > 0 else "")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _report(progress: "Progress") -> "Report":
    from zerosum.show.report import Report, Run

    monitor = (progress.monitor,) if progress.monitor else ()
    return Report(progress.name, (Run(progress.name, (progress, *monitor)),))


def _screen(progress: "Progress", speed: str = "") -> "Text":
    from zerosum.show.terminal import as_text, screen

    shown = as_text(_report(progress), min(screen().width, WIDTH))
    return shown.append(f"\n{speed}", style="dim") if speed else shown
