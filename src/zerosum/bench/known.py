"""Results of finished runs in one file, from which a bench goes on where the runs are not. Loads no torch.

A line of JSON for each run, by the name of its folder, which holds the hash of everything that it trains; before them a
line on what was measured.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from zerosum.atomic import write_text
from zerosum.bench.declaration import Declaration
from zerosum.bench.results import RunResult
from zerosum.errors import InputError

FILE = "runs.jsonl"


@dataclass(frozen=True)
class KnownRun:
    """A finished run. loss: final, nats per token, on `tokens` held-out tokens; NaN where only a branch has one.

    result: of a trunk and its branch, or of a table of bigrams; levels: losses between which its movement was measured,
    and of a full tuning run those that follow from it, should it be a baseline's best. ngrams: losses of n-gram models
    of the text. text: what it was trained on, see `trained_on`.
    """

    run: str
    loss: float = math.nan
    tokens: int = 0
    result: RunResult | None = None
    levels: tuple[float, ...] = ()
    ngrams: Mapping[str, float] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True)
class _Header:
    """Held-out sequences that were measured, as the declaration names them."""

    final_held_out: int
    measured: int
    format: Literal["zerosum bench runs 1"] = "zerosum bench runs 1"


_HEADER, _RUN = TypeAdapter(_Header), TypeAdapter(KnownRun)


def read_all_known(files: Iterable[Path], declaration: Declaration) -> dict[str, KnownRun]:
    """Runs of several files by name. Of a run in two files, the one with more of its results is taken.

    Raises InputError as `read_known`.
    """
    found: dict[str, KnownRun] = {}
    for file in files:
        for name, run in read_known(file, declaration).items():
            if name not in found or _results(run) > _results(found[name]):
                found[name] = run
    return found


def _results(run: KnownRun) -> int:
    return sum((not math.isnan(run.loss), run.result is not None, bool(run.levels), bool(run.ngrams)))


def read_known(file: Path, declaration: Declaration) -> dict[str, KnownRun]:
    """Runs by name. Raises InputError where the file is none of `write_known`, or of other held-out text."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error}). Give {FILE} of a bench.") from error
    values = list(_parsed(file, lines))
    if not values or not isinstance(values[0], _Header):
        raise InputError(f"{file}: holds no runs of a bench. Give {FILE} of a bench.")
    there, now = asdict(values[0]), asdict(_header(declaration))
    if other := next((name for name in there if there[name] != now[name]), None):
        raise InputError(
            f"{file}: {other} {there[other]} there, {now[other]} now: losses of other text cannot be compared. Declare "
            f"{other}: {there[other]}, or leave the file out."
        )
    return {one.run: one for one in values[1:] if isinstance(one, KnownRun)}


def _parsed(file: Path, lines: Iterable[str]) -> Iterator[_Header | KnownRun]:
    for number, line in enumerate(lines, 1):
        try:
            yield (_RUN if number > 1 else _HEADER).validate_json(line)
        except ValidationError as error:
            raise InputError(f"{file}: line {number} is no run of a bench. Give {FILE} as a bench wrote it.") from error


def write_known(file: Path, declaration: Declaration, runs: Iterable[KnownRun]) -> None:
    """Write the runs, sorted by name; a run that comes twice once."""
    by_name = {one.run: asdict(one) for one in runs}
    lines = [asdict(_header(declaration)), *(by_name[name] for name in sorted(by_name))]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, "".join(json.dumps(_strict(line)) + "\n" for line in lines))


def _strict(value: Any) -> Any:
    """With the names of numbers that JSON does not have."""
    if isinstance(value, Mapping):
        return {name: _strict(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _header(declaration: Declaration) -> _Header:
    return _Header(declaration.final_held_out, declaration.measured)
