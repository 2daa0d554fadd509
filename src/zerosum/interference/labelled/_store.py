"""The measurer of a store of per-token losses: every pair of checkpoints, and concordance over time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from zerosum.errors import Damaged, InputError
from zerosum.interference._pairs import Pair, chosen_pairs
from zerosum.interference.labelled._change import Store, UnitName, change_between, steps_of, units_of
from zerosum.interference.labelled._measure import PairInterference, measure_pair
from zerosum.interference.labelled._moved import Moved, most_moved
from zerosum.interference.labelled._persistence import Persistence, WorseOften, persistence, worse_often
from zerosum.interference.labelled._problems import StoreProblem, problems_of
from zerosum.interference.labelled._text import TokenText
from zerosum.record import Record


@dataclass(frozen=True, repr=False)
class StoreInterference(Record):
    """Interference of every pair of checkpoints of one store.

    unpaired: steps without a partner near their double, where doublings were asked for. failed: pairs that could not be
    compared, with the reason. problems: recorded in the store. moved: for each pair the tokens and documents that
    gained and lost most. persistence and worse_often: of the pairs without a problem; worse_often is None for fewer
    than two successive ones of the same tokens.
    """

    pairs: tuple[PairInterference, ...]
    unpaired: tuple[int, ...]
    failed: tuple[tuple[Pair, str], ...]
    problems: tuple[StoreProblem, ...]
    moved: dict[Pair, tuple[Moved, ...]]
    persistence: tuple[Persistence, ...]
    worse_often: WorseOften | None

    @property
    def sound(self) -> tuple[PairInterference, ...]:
        """The pairs between checkpoints that are what their names say: only these are summed up."""
        return tuple(pair for pair in self.pairs if pair.problem is None)

    @property
    def last(self) -> PairInterference:
        """The last sound pair; where none is sound the last of all."""
        return (self.sound or self.pairs)[-1]

    def pairs_to_json(self) -> list[dict[str, Any]]:
        """One document for each pair: numbers, groups, who moved most, and agreement of signs with later pairs."""
        return [
            {
                **pair.to_json(),
                "moved": [row.to_json() for row in self.moved.get(pair.steps, ())],
                "persistence": [row.to_json() for row in self.persistence if row.first == pair.steps],
            }
            for pair in self.pairs
        ]

    def to_json(self) -> dict[str, Any]:
        """The part that belongs to no single pair: steps without a partner, problems, and tokens that keep paying."""
        document: dict[str, Any] = {
            "unpaired": list(self.unpaired),
            "problems": [problem.sentence for problem in self.problems],
            "problem_codes": [problem.code for problem in self.problems],
        }
        if self.worse_often is None:
            why = "fewer than two successive pairs of the same tokens without a problem"
            return document | {"worse_often": None, "worse_often_reason": why}
        return document | {"worse_often": self.worse_often.to_json()}


def measure_store(
    store: Store,
    pairs: str = "doubling",
    *,
    by: str | None = None,
    units: UnitName | None = None,
    text: TokenText | None = None,
    top: int = 3,
    level: float = 0.95,
    seed: int = 0,
    along: Callable[[Sequence[Pair]], Iterable[Pair]] = iter,
) -> StoreInterference:
    """Interference of every pair of checkpoints of a store, and its concordance over time.

    pairs: "doubling", "consecutive" or "100:200,200:1000". by: a name of `grouping_names()`. units: what is resampled,
    documents where the store knows at least 20 of them. text: decodes tokens. top: how many that gained and lost most
    are listed. along: wraps the pairs, for a progress bar. A pair that cannot be compared is listed, the others are
    measured; InputError is raised for what is wrong with the call or the whole store, and for damage to its files.
    """
    chosen, unpaired = chosen_pairs(pairs, steps_of(store))
    resampled = units_of(store, units)
    measured: dict[Pair, PairInterference] = {}
    moved: dict[Pair, tuple[Moved, ...]] = {}
    failed: list[tuple[Pair, str]] = []
    for pair in along(chosen):
        try:
            change = change_between(store, *pair)
        except Damaged:
            raise
        except InputError as error:
            failed.append((pair, str(error)))
            continue
        measured[pair] = measure_pair(change, resampled, by, text, level=level, seed=seed)
        moved[pair] = most_moved(change, text, top)
    sound = [steps for steps, pair in measured.items() if pair.problem is None]
    return StoreInterference(
        pairs=tuple(measured.values()),
        unpaired=tuple(unpaired),
        failed=tuple(failed),
        problems=tuple(problems_of(store)),
        moved=moved,
        persistence=tuple(persistence(store, sound, resampled, level=level, seed=seed)),
        worse_often=worse_often(store, sound, resampled, level=level, seed=seed),
    )
