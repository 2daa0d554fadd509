"""`zerosum gradients` on a terminal: the numbers of each checkpoint, and of the layers of the last one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zerosum.cli.terminal import estimate, labelled, plain_table, screen
from zerosum.show.gradients.words import notes
from zerosum.show.names import printable
from zerosum.show.numbers import count, counted, decimals, number

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

Row = dict[str, Any]
WIDE = 110  # columns of a terminal from which an interval stands on one line
MEANINGS = {
    "D_grad": "mean over coordinates of what cancels between tokens, without embedding and head",
    "D_grad_matrices": "the same of the matrices among them",
    "C_g": "how much tokens agree, coordinate by coordinate, weighted by the update",
    "C_ug": "how much of a token's movement is left when its coordinates are added",
    "C_uG": "how much coordinates agree, when tokens have been added",
    "D_first_order": "what cancels of all first-order loss changes, 1 − C_g C_uG / C_ug",
    "null": "D_first_order by chance: signs of tokens at random",
    "null_unit": "the same: signs of whole {units}s at random",
    "D_loss": "what cancels of the real loss changes",
    "M_first_order": "mean size of a first-order loss change, nats per token",
    "M_loss": "mean size of a real loss change, nats per token",
}
PROXY = "of what each position contributes to the summed loss's gradient, not of the gradient of any token's loss"
OVER_STEPS = ("D_grad", "C_g", "C_ug", "C_uG", "D_first_order", "D_loss")


def show(source: str, documents: Sequence[Row], out: Path | None = None) -> None:
    """Print everything of one call."""
    from rich.text import Text

    console = screen()
    console.print(Text(printable(source), style="bold"))
    wide, last = console.width >= WIDE, documents[-1]
    console.print(_steps(documents, wide) if len(documents) > 1 else _numbers(last, wide))
    if len(documents) > 1:
        console.print(labelled((name, MEANINGS[name]) for name in OVER_STEPS if last[name] is not None))
        console.print(Text(f"\nLayers at step {count(last['step'])}", style="bold"))
    proxy = last.get("positionwise")
    if proxy:
        console.print(Text(f"\nPositionwise proxy at step {count(last['step'])}: {PROXY}", style="bold"))
        console.print(_layers({"layers": [{"name": "model", **_of_model(proxy)}, *proxy["layers"]]}))
    else:
        console.print(_layers(last))
    console.print(labelled(_said(documents)))
    if out is not None:
        where = printable(str(out), 1_000)
        console.print(f"written: {where}: gradients.html, gradients.json, tables (CSV) and figures/", soft_wrap=True)


def _of_model(proxy: Row) -> Row:
    """The proxy of the whole model, as a row above its layers."""
    whole = {name: sum(one[name] for one in proxy["layers"]) for name in ("numel", "touched")}
    return whole | {"D_grad": proxy["D_grad"], "C_g": proxy["C_g"], "C_ug": None, "C_uG": None}


def _cell(found: Row, name: str, wide: bool) -> "Text":
    from rich.text import Text

    value, ends = found[name], found["intervals"].get(name)
    return Text("—") if value is None else estimate(value, tuple(ends) if ends else None, wide)


def _numbers(found: Row, wide: bool) -> "Table":
    from rich.text import Text

    table = plain_table("", "value")
    table.add_column("what it is", overflow="fold")
    for name, meaning in MEANINGS.items():
        if found[name] is not None:
            said = meaning.format(units=found["units"])
            table.add_row(Text(name), _cell(found, name, wide), Text(said, style="dim"))
    return table


def _steps(documents: Sequence[Row], wide: bool) -> "Table":
    from rich.text import Text

    names = [name for name in OVER_STEPS if any(one[name] is not None for one in documents)]
    table = plain_table("step", "mean loss\nnats/token", *names)
    for one in documents:
        loss = number(one["loss"], decimals(one["loss"]) + 1)
        table.add_row(Text(count(one["step"])), Text(loss), *(_cell(one, name, wide) for name in names))
    return table


def _layers(found: Row) -> "Table":
    from rich.text import Text

    names = [
        name for name in ("D_grad", "C_g", "C_ug", "C_uG") if any(one[name] is not None for one in found["layers"])
    ]
    table = plain_table("layer", "coordinates", "touched", *names)
    for one in found["layers"]:
        touched = "—" if one["touched"] is None else count(one["touched"])
        values = ["—" if one[name] is None else number(one[name], 3) for name in names]
        table.add_row(Text(printable(one["name"], 60)), Text(count(one["numel"])), *map(Text, [touched, *values]))
    return table


def _said(documents: Sequence[Row]) -> list[tuple[str, str]]:
    last = documents[-1]
    of = "" if last["n_sampled"] == last["N"] else f", gradients of {count(last['n_sampled'])} of them"
    of = ", the gradient of none of them alone" if last.get("positionwise") else of
    sequences = counted(last["n_sequences"], "sequence")
    rows = [("tokens", f"N = {count(last['N'])}{of}; {sequences}; method {last['method']}")]
    if any(isinstance(ends, list) for ends in last["intervals"].values()):
        rows.append(
            (
                "brackets",
                f"95 % intervals: of D_loss, M_loss and first-order numbers over {_units(last)}, else of the sample",
            )
        )
    rows += [("intervals", f"none of {names}: {reason}") for reason, names in _without_interval(last).items()]
    if last["first_order"] is None:
        rows.append(("update", f"none, so no C_g, C_ug, C_uG: {last['C_g_reason']}. Give --after or --train."))
    elif last["C_uG"] is None:
        rows.append(("update", f"no C_g, C_ug, C_uG: {last['C_uG_reason']}."))
    if error := last.get("dtype_error"):
        rows.append(("precision", _narrowed(last["dtype"], error)))
    rows += [("note", f"{note}.") for note in notes([(one["step"], one["notes"]) for one in documents])]
    for one in documents:
        if "verify" in one:
            rows.append(("verify", _verified(one)))
    return rows


def _narrowed(dtype: str, error: Row) -> str:
    return (
        f"passes in {dtype}; against float32, on {error['tokens']} tokens: gradients differ by up to "
        f"{error['gradients']:.1g} of their size, norm_l1 by {error['norm_l1']:.1g}, D_grad by {error['D_grad']:+.1g}"
    )


def _units(found: Row) -> str:
    """What is resampled, and how many of it."""
    interval = found["first_order"] and found["first_order"]["interval"]
    return counted(interval["n_units"], found["units"]) if interval else f"{found['units']}s"


def _without_interval(found: Row) -> dict[str, str]:
    """Reason -> names of the numbers that it leaves without an interval."""
    names: dict[str, list[str]] = {}
    for name in found["intervals"]:
        if f"{name}_reason" in found["intervals"] and found[name] is not None:
            names.setdefault(found["intervals"][f"{name}_reason"], []).append(name)
    return {reason: ", ".join(several) for reason, several in names.items()}


def _verified(one: Row) -> str:
    found = one["verify"]
    names = {"norm_l1": "sums of sizes", "norm_l2": "lengths", "moved": "sum |p|", "first_order": "first-order changes"}
    gaps = [f"{words} by {found[name]:.1g}" for name, words in names.items() if found[name] is not None]
    tokens = f"step {count(one['step'])}: {counted(found['K'], 'token')} by one backward pass each"
    return f"{tokens}: differences are at most, of {', '.join(gaps)} (relative)"
