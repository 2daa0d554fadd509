"""The laws of the loss that a call of `zerosum scaling` names, fitted to its table."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from zerosum.cli.progress import following
from zerosum.cli.sources import Failure, each

if TYPE_CHECKING:
    from zerosum.scaling import LossTable

R = TypeVar("R")


@dataclass(frozen=True)
class NamedLaws:
    """What was fitted, in the order of the names: `LawFit`s with their `HeldOut`s, `IsoFlop`, `CriticalBatch`."""

    records: list[Any]
    failed: list[Failure]

    def of(self, kind: type[R]) -> list[R]:
        """The records of one type."""
        return [record for record in self.records if isinstance(record, kind)]


def named_laws(
    names: Sequence[str], losses: "LossTable | None", settings: Mapping[str, float], hold_out: str, seed: int
) -> NamedLaws:
    """Every law of the loss by its name; none without losses. hold_out: a run, "largest" or "none"."""
    from zerosum import scaling as room
    from zerosum.scaling.laws import require_known

    options: dict[str, Any] = {"delta": settings.get("delta"), "seed": seed}

    def law(name: str) -> list[Any]:
        held = [] if hold_out == "none" else [room.hold_out(losses, name, run=hold_out, **options)]
        return [room.fit(losses, name, **options), *held]

    others: dict[str, Callable[[], list[Any]]] = {
        "iso-flop": lambda: [room.isoflop(losses)],
        "critical-batch": lambda: [room.critical_batch(losses, settings.get("target"))],
    }

    def measured(name: str) -> list[Any]:
        require_known(name, [*room.law_names(), *others])
        return others[name]() if name in others else law(name)

    with following([] if losses is None else list(dict.fromkeys(names)), "fitting") as given:
        done, failed = each(((name, name) for name in given), measured)
    return NamedLaws([record for _, records in done for record in records], failed)


def law_documents(laws: NamedLaws, budgets: Sequence[float]) -> tuple[list[dict[str, Any]], dict[str, Any], list[Any]]:
    """Entries of the JSON document: those of `laws`, the others by key; and the best sizes for the budgets."""
    from zerosum.scaling import CriticalBatch, HeldOut, IsoFlop, LawFit

    held_out = laws.of(HeldOut)
    losses = {held.law: [loss.to_json() for loss in held.losses] for held in held_out}
    splitting: list[LawFit | IsoFlop] = [*(fit for fit in laws.of(LawFit) if fit.length == "D"), *laws.of(IsoFlop)]
    best = [law.optimal(flops) for law in splitting for flops in budgets]
    documents = [fit.to_json() | {"held_out": losses.get(fit.law, [])} for fit in laws.of(LawFit)]
    more = {
        "protocol": [error.to_json(held.law) for held in held_out for error in held.protocol],
        "optimal": [size.to_json() for size in best],
        "iso_flop": next((found.to_json() for found in laws.of(IsoFlop)), None),
        "critical_batch": next((found.to_json() for found in laws.of(CriticalBatch)), None),
    }
    return documents, more, best
