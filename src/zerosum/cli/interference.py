"""`zerosum interference`: how much of all loss movement between checkpoints cancels, where, and how sure that is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated

import typer

import zerosum
from zerosum.cli.model_options import Average
from zerosum.cli.options import Details, expand_option_groups
from zerosum.cli.output import make_folder
from zerosum.cli.progress import following
from zerosum.cli.sources import AsJson, Failure, each, finish, print_json
from zerosum.errors import InputError
from zerosum.show.names import printable

if TYPE_CHECKING:
    import xarray as xr

    from zerosum.interference.labelled import StoreInterference
    from zerosum.show.report import Report

    Measurements = Sequence[tuple[str, StoreInterference]]

GROUPINGS = [
    info.name.replace("_", "-")  # the files themselves: to import them would make --help wait for numpy
    for info in iter_modules([str(Path(zerosum.__file__).parent / "interference" / "labelled" / "groupings")])
    if not info.name.startswith("_")
]


class UnitChoice(StrEnum):
    """Resampling unit of intervals."""

    DOCUMENT = "document"
    SEQUENCE = "sequence"


@dataclass(frozen=True)
class Comparing:
    """Options of the comparison, for every store of one call; see `zerosum.interference.labelled.measure_store`."""

    pairs: Annotated[
        str, typer.Option(metavar="PAIRS", help="Steps to compare: doubling, consecutive, or as 100:200,200:1000.")
    ] = "doubling"
    by: Annotated[
        str | None,
        typer.Option(metavar="GROUPS", help=f"Split into groups of tokens: {', '.join(GROUPINGS)}."),
    ] = None
    units: Annotated[
        UnitChoice | None,
        typer.Option(help="What intervals resample. Without it documents where 20 are known, else sequences."),
    ] = None
    tokenizer: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="Tokenizer of the model, where the store names none.")
    ] = None
    top: Annotated[int, typer.Option(min=0, metavar="K", help="How many that gained and lost most are listed.")] = 3
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap and the Monte Carlo nulls.")] = 0

    def measure(self, path: Path, store: "xr.Dataset") -> "StoreInterference":
        """Measure one store."""
        from zerosum.interference.labelled import measure_store
        from zerosum.runs import token_text

        return measure_store(
            store,
            self.pairs,
            by=self.by,
            units=None if self.units is None else self.units.value,
            text=token_text(path, store, self.tokenizer),
            top=self.top,
            seed=self.seed,
            along=following_pairs,
        )


GROUP = "measure"


@expand_option_groups
def interference(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="STORE", help="Stores of per-token losses, or run directories that hold one.", show_default=False
        ),
    ],
    comparing: Comparing,
    average: Average = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for tables: pairs.csv, groups.csv, persistence.csv, moved.csv.")
    ] = None,
    details: Details = False,
    as_json: AsJson = False,
) -> None:
    """Say how much of all movement of single tokens' losses cancels between checkpoints, and who pays for whom.

    D is the share of all movement that cancels. It grows with the number of tokens N by chance alone, so it stands
    beside N and what chance would give, and D of different N are not compared.
    """
    make_folder(out)
    first: dict[str, xr.Dataset] = {}

    def measured(source: str) -> "StoreInterference":
        from zerosum.runs import open_losses

        path, store = open_losses(source, average)
        _require_same_tokens(source, store, first)
        result = comparing.measure(path, store)
        if not first:
            first[source] = store
        return result

    measurements, failed = each([(source, source) for source in sources], measured)
    n_failed = len(failed)
    failed += [Failure(source, f"{source}: {why}") for source, result in measurements for _, why in result.failed]
    if out is not None:
        _write(measurements, out)
    if as_json:
        pairs = [{"source": source, **pair} for source, result in measurements for pair in result.pairs_to_json()]
        stores = [{"source": source, **result.to_json()} for source, result in measurements]
        print_json("pairs", pairs, failed, stores=stores)
    else:
        _show(measurements, details)
    finish(failed, len(sources) if len(failed) == n_failed else 1)


def _report(measurements: "Measurements") -> "Report":
    from zerosum.interference.labelled import StoreFindings
    from zerosum.show.report import Report, Run

    runs = (Run(source, (StoreFindings.of(result),)) for source, result in measurements if result.pairs)
    return Report("zerosum interference", tuple(runs))


def _write(measurements: "Measurements", folder: Path) -> None:
    """Only tables: figures are on the page of `zerosum report`."""
    from zerosum.show.folder import write_tables

    try:
        write_tables(_report(measurements), folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error}). Choose another --out.") from None


def _show(measurements: "Measurements", details: bool) -> None:
    """Each store by itself: D of different tokens is not compared."""
    from zerosum.show.terminal import screen, show

    for source, result in measurements:
        if not result.pairs:
            continue
        if len(measurements) > 1:
            screen().print(printable(source), style="bold", soft_wrap=True)
        show(_report([(source, result)]), details)


def _require_same_tokens(source: str, store: "xr.Dataset", first: "dict[str, xr.Dataset]") -> None:
    from zerosum.interference.labelled import same_tokens

    for other, other_store in first.items():
        if not same_tokens(other_store, store):
            raise InputError(
                f"{source}: made with other tokens than {other}, and D of different tokens is not comparable. "
                "Measure both on the same data, or look at each by itself."
            )


def following_pairs(pairs: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The pairs, with a bar on a terminal."""
    with following([f"{start} to {end}" for start, end in pairs], "comparing steps") as names:
        yield from (pair for _, pair in zip(names, pairs, strict=True))
