"""The store that losses belong to: other data, precision, quantities or weights of a run have a store of their own."""

from collections.abc import Sequence
from pathlib import Path

from zerosum.checkpoints import Checkpoint
from zerosum.errors import Damaged, InputError
from zerosum.losses._store import measured_quantities, open_damaged
from zerosum.missing import UNKNOWN_STEP
from zerosum.sharing import own_place
from zerosum.tokens import TokenSequences


def own_store(
    default: Path, checkpoints: Sequence[Checkpoint], tokens: TokenSequences, dtype: str, also: Sequence[str] = ()
) -> Path:
    """The store at `default`, or one beside it, that losses made like this are in or belong to.

    dtype, also: see `measure_losses`. A store that is damaged or cannot be read is taken for theirs if it is the
    default one: `measure_losses` then repairs or refuses it.
    """
    average = checkpoints[0].averaged.kind if checkpoints[0].averaged else None
    made_of = {"data_sha256": tokens.sha256, "dtype": dtype} | ({"average": average} if average else {})

    def fits(path: Path) -> bool:
        try:
            store = open_damaged(path)
            steps = store["step"].values.tolist()
        except Damaged:
            return path == default
        except (InputError, KeyError):
            return path == default
        hashes = dict(zip(steps, store.attrs.get("weight_sha256", ()), strict=False))
        return (
            all(store.attrs.get(name) == value for name, value in made_of.items())
            and store.attrs.get("average") == average
            and set(also) <= set(measured_quantities(store))
            and (UNKNOWN_STEP in steps) is (checkpoints[0].step == UNKNOWN_STEP)
            and all(hashes.get(one.step) in (None, one.weight_hash()) for one in checkpoints)
        )

    return own_place(default, made_of | {"also": sorted(also)}, fits)
