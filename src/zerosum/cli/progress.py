"""Progress of long work: a live bar on a terminal, one line per piece of work elsewhere. Always on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

Show = Callable[[int, str], None]


@contextmanager
def progress(label: str, total: int) -> Iterator[Show]:
    """Yield `show(done, note)`, to be called as the work goes on; `done` of `total` pieces, `note` a few words."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<32}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]:<12}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    began = monotonic()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        task = bars.add_task(label, total=total, note="")
        yield lambda done, note: bars.update(task, completed=done, note=note)
        bars.update(task, completed=total)
    if not console.is_terminal:
        console.print(f"{label}: done in {monotonic() - began:.0f} s", highlight=False)
