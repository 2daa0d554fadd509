"""W&B runs on a server, every row of them: the extra `wandb`.

The public API's `history()` returns 500 sampled rows, which would be a wrong curve; only its scans are used.
"""

import re
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from zerosum.curves._format import Columns, columns_of_rows, flat
from zerosum.curves.columns import Chooser
from zerosum.errors import InputError, MissingExtra

_SOURCE = re.compile(r"(?:wandb:(?://)?|https://[\w.-]+/)([\w.-]+)/([\w.-]+)/(?:runs/)?([\w.-]+)/?(?:[?#].*)?")


def is_online(source: str) -> bool:
    """Whether this names a run on a server: `wandb:entity/project/run` or the address of its page."""
    return source.startswith(("wandb:", "https://"))


def read_online(source: str, choose: Chooser, api: Any = None) -> Columns:
    """Read the columns that `choose` picks, every logged row of them.

    source: `wandb:entity/project/run_id`, or the address of the run's page. api: a `wandb.Api`; None makes one.
    Raises InputError, one line, where the run cannot be read; MissingExtra without the package wandb.
    """
    parts = _SOURCE.fullmatch(source)
    if parts is None:
        raise InputError(f"{source}: not a W&B run. Write wandb:entity/project/run_id, or its page's address.")
    if api is None:
        api = _api()
    try:
        run = api.run("/".join(parts.groups()))
        names = _names(run)
        chosen = choose(names) if names else None
        rows = _scanned(run, chosen)
        title = str(getattr(run, "name", "") or "")
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - its errors share no base: network, permission, server, package
        cause = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(
            f"{source}: W&B could not be read ({cause}). Check the run's name and `wandb login`."
        ) from None
    if not rows:
        raise InputError(f"{source}: the run has no history. Name a run that logged its loss.")
    if chosen is not None:  # the columns are known, and what there is to say about them was said
        there = {key for row in rows for key in row}
        fixed: dict[str, str | None] = {axis: name for axis, name in chosen.items() if name in there}
        choose = Chooser(source, fixed, choose.where)
    return columns_of_rows(rows, choose, source, notes=(), format="wandb online", title=title)


def _api() -> Any:
    try:
        return import_module("wandb").Api()
    except ImportError:
        raise MissingExtra("wandb", "wandb") from None


def _names(run: Any) -> list[str]:
    """Logged names, where the server gives them; without them every column has to be fetched."""
    logged = getattr(run, "history_keys", None)
    keys = logged.get("keys") if isinstance(logged, dict) else None
    return list(dict.fromkeys(["_step", *keys])) if isinstance(keys, dict) and keys else []


def _scanned(run: Any, chosen: dict[str, str] | None) -> list[dict[str, Any]]:
    """The loss's rows, then those of each other axis: a scan returns only rows that hold every name it is given."""
    scan = getattr(run, "scan_history", None) or run.beta_scan_history
    if chosen is None:
        return [flat(dict(row)) for row in scan()]
    rows: list[dict[str, Any]] = []
    for axis in ("loss", "tokens", "lr"):
        if axis in chosen:
            scanned: Iterable[Any] = scan(keys=list(dict.fromkeys([chosen["step"], chosen[axis]])))
            rows.extend(flat(dict(row)) for row in scanned)
    return rows
