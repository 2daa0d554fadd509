"""What was measured, shown: figures, tables, HTML pages, terminal tables, JSON. Loads no torch.

`sections/` has a file for each part of a page; `run/` is an older page.
Names are loaded when first used, so that `zerosum.show.numbers`, which terminals need, comes without matplotlib.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zerosum.show.run.subject import Missing, RunReport
    from zerosum.show.run.write import write_run

_FILE_OF = {
    "Missing": "run.subject",
    "RunReport": "run.subject",
    "write_run": "run.write",
}

__all__ = ["Missing", "RunReport", "write_run"]


def __getattr__(name: str) -> Any:
    if name not in _FILE_OF:
        raise AttributeError(f"module 'zerosum.show' has no attribute {name!r}")
    return getattr(import_module(f"zerosum.show.{_FILE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
