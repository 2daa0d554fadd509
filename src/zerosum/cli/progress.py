"""Progress of long work: live bars on a terminal, one line for each finished piece elsewhere. Always on stderr."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from zerosum.show.names import printable

if TYPE_CHECKING:
    from rich.progress import TaskID

Show = Callable[[str, int, int, str], None]


@contextmanager
def progress() -> Iterator[Show]:
    """Yield `show(label, total, done, note)`, to be called as each labelled piece of work goes on.

    A label seen for the first time begins a bar; `done` of `total` fills it, `note` is shown beside it.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description:<34}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    tasks: dict[str, TaskID] = {}
    began: dict[str, float] = {}

    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:

        def show(label: str, total: int, done: int, note: str) -> None:
            if label not in tasks:
                tasks[label], began[label] = bars.add_task(printable(label), total=total, note=""), monotonic()
            bars.update(tasks[label], completed=done, note=printable(note))
            if done == total and not console.is_terminal:
                console.print(
                    f"{printable(label)}: done in {monotonic() - began[label]:.0f} s", markup=False, soft_wrap=True
                )

        yield show


@contextmanager
def following(sources: Sequence[str], doing: str) -> Iterator[Iterable[str]]:
    """Yield the sources to work on. On a terminal a bar names the source in work, and disappears at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn(doing),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[source]}", markup=False),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(doing, total=len(sources), source="")

        def in_turn() -> Iterator[str]:
            for source in sources:
                bar.update(task, source=printable(source.rstrip("/").rsplit("/", 1)[-1], 40))
                yield source
                bar.advance(task)

        yield in_turn()


@contextmanager
def busy(doing: str) -> Iterator[None]:
    """On a terminal, show what is being done while it takes seconds."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        yield
        return
    with console.status(doing):
        yield
