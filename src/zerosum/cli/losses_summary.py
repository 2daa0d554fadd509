"""How measured losses are shown: a table for people, a document for scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

WIDE = 90  # columns of a terminal from which an interval stands on one line


def document(source: str, path: Path, store: "xr.Dataset") -> dict[str, Any]:
    """One run for `--json`."""
    from zerosum.interference.labelled import mean_losses

    attrs = store.attrs
    said = ("model", "dtype", "tokenizer", "tokens", "data_sha256", "noise_floor", "problems", "complete", "versions")
    return {
        "source": source,
        "store": str(path),
        "n_sequences": store.sizes["sequence"],
        "n_documents": len(attrs["documents"]),
        "domains": attrs["domains"],
        **{name: attrs.get(name) for name in said},
        **({} if attrs.get("noise_floor") is not None else {"noise_floor_reason": "no checkpoint gives numbers"}),
        "gaps": [list(pair) for pair in _gaps(store)],
        "checkpoints": [_row(one) for one in mean_losses(store)],
    }


def show(source: str, path: Path, store: "xr.Dataset") -> None:
    """One run for people."""
    from rich.padding import Padding
    from rich.text import Text

    from zerosum.cli.terminal import estimate, labelled, plain_table, screen
    from zerosum.interference.labelled import mean_losses
    from zerosum.show.names import printable
    from zerosum.show.numbers import count

    console = screen()
    found = mean_losses(store)
    table = plain_table("step", "tokens seen", "mean loss\nnats/token", "noise floor\nnats")
    for one in found:
        loss = estimate(one.loss.value, one.loss.interval, console.width >= WIDE)
        floor = "—" if one.noise_floor is None else f"{one.noise_floor:.1g}"
        table.add_row(Text(count(one.step)), Text(count(one.tokens_seen)), loss, Text(floor))
    console.print(Text(printable(source), style="bold"))
    console.print(table)
    rows = [("store", str(path)), ("tokens", _tokens_in_words(store)), ("intervals", _intervals_in_words(found))]
    rows += [("noise floor", _noise_in_words(store.attrs["dtype"]))]
    if found_gaps := _gaps(store):
        between = ", ".join(f"{count(start)} and {count(end)}" for start, end in found_gaps)
        rows += [("gaps", f"checkpoints are missing between steps {between}, by the spacing of those around")]
    rows += [("problem", problem["message"]) for problem in store.attrs["problems"]]
    console.print(Padding(labelled(rows, {"problem": "yellow"}), (0, 0, 1, 2), expand=False))


def _gaps(store: "xr.Dataset") -> tuple[tuple[int, int], ...]:
    from zerosum.checkpoints.problems import gaps

    return gaps(store["step"].values.tolist())


def _tokens_in_words(store: "xr.Dataset") -> str:
    attrs = store.attrs
    predicted = int((store["token"].to_numpy() >= 0).sum())
    how = "documents joined" if attrs["tokens"].get("pack") else "one document to a sequence"
    words = f"{predicted:,} predicted, {store.sizes['sequence']:,} sequences, {len(attrs['documents']):,} documents"
    return f"{words}; {how}; tokenizer {attrs['tokenizer'] or 'none'}; {attrs['dtype']}"


def _noise_in_words(dtype: str) -> str:
    how = "in other batches" if dtype == "float32" else "in float32 or in other batches, whichever differs more"
    return f"mean |difference| of the same tokens measured {how}: changes of tokens below it may be numerical noise"


def _intervals_in_words(found: Any) -> str:
    with_one = next((one.loss for one in found if one.loss.interval), None)
    if with_one is None:
        return f"none: {found[0].loss.reason}"
    return f"{100 * with_one.level:g} %, {with_one.method}"


def _row(one: Any) -> dict[str, Any]:
    loss = one.loss
    known = loss.value == loss.value
    row: dict[str, Any] = {
        "step": one.step,
        "tokens_seen": int(one.tokens_seen) if one.tokens_seen == one.tokens_seen else None,
        "mean_loss": loss.value if known else None,
        "interval": list(loss.interval) if loss.interval else None,
        "N": loss.N,
        "noise_floor": one.noise_floor,
    }
    row |= {"level": loss.level, "method": loss.method} if loss.interval else {"interval_reason": loss.reason}
    row |= {} if row["tokens_seen"] is not None else {"tokens_seen_reason": "neither the run nor a name says"}
    row |= {} if known else {"mean_loss_reason": loss.reason}
    return row | ({} if one.noise_floor is not None else {"noise_floor_reason": "it gives no numbers"})
