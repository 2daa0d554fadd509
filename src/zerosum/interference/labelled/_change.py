"""Loss changes of the same tokens between two checkpoints of a store, and their resampling units.

Letters: S sequences, T predicted positions, N predictions that have a loss at both checkpoints.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Shaped

from zerosum.errors import InputError
from zerosum.interference._bootstrap import FEWEST_UNITS

if TYPE_CHECKING:
    import xarray as xr

    Store = xr.Dataset
else:
    Store = Any  # xarray takes half a second to load, and nothing here needs it at run time

DIMS = ("checkpoint", "sequence", "position")
UnitName = Literal["document", "sequence"]


@dataclass(frozen=True, eq=False)
class Change:
    """Signed loss changes in nats, positive where the loss rose.

    x: [S, T] float64, NaN where left out. kept: [S, T] whether a loss is there at both steps.
    before: [S, T] losses at from_step. one_sided: positions with a loss at one of the two steps only.
    """

    store: Store
    from_step: int
    to_step: int
    before: Float[np.ndarray, "S T"]
    x: Float[np.ndarray, "S T"]
    kept: Bool[np.ndarray, "S T"]
    one_sided: int

    @property
    def flat(self) -> Float[np.ndarray, " N"]:
        """The changes of all tokens that have one."""
        flat: Float[np.ndarray, " N"] = self.x[self.kept]
        return flat

    @property
    def left_out(self) -> int:
        """Positions of the store without a change: nothing is predicted there, or a loss is missing."""
        return int(self.kept.size - self.kept.sum())

    def of(self, values: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, " N"]:
        """The value of each change, from values that broadcast to [S, T]."""
        of_each: Shaped[np.ndarray, " N"] = np.broadcast_to(values, self.kept.shape)[self.kept]
        return of_each


@dataclass(frozen=True, eq=False)
class Units:
    """Resampling units of intervals. name: their kind. id: unit of each position (broadcasts to [S, T])."""

    name: UnitName
    id: Shaped[np.ndarray, "..."]


def steps_of(store: Store) -> list[int]:
    """The steps of a store's checkpoints, in its order. Raises InputError where it is no store of per-token losses."""
    if "loss" not in store or set(store["loss"].dims) != set(DIMS):
        content = dict(store["loss"].sizes) if "loss" in store else list(store.data_vars)
        raise InputError(f"{content}: no losses of [checkpoint, sequence, position]. Give a store of per-token losses.")
    if "step" not in store.coords:
        raise InputError("the store does not say which steps its checkpoints are from. Give it a coordinate 'step'.")
    if store["step"].dims != ("checkpoint",) or store["step"].dtype.kind not in "iu":
        raise InputError(f"steps of {store['step'].dtype} on {store['step'].dims}: not a whole number per checkpoint.")
    steps = [int(step) for step in store["step"].to_numpy()]
    if twice := sorted({step for step in steps if steps.count(step) > 1}):
        raise InputError(f"step {twice[0]}: in the store more than once. Keep one checkpoint of each step.")
    return steps


def change_between(store: Store, from_step: int, to_step: int) -> Change:
    """Loss changes between two steps of a store.

    Raises InputError where a step is not there, a loss is infinite, or no token has a loss at both steps.
    """
    before, after = (losses_at(store, step) for step in (from_step, to_step))
    known_before, known_after = np.isfinite(before), np.isfinite(after)
    kept = known_before & known_after
    if not kept.any():
        empty = [step for step, some in ((from_step, known_before), (to_step, known_after)) if not some.any()]
        which = f"step {empty[0]} has no loss at all" if empty else "no token has a loss at both"
        raise InputError(f"steps {from_step} and {to_step}: {which}, so nothing can be compared. Measure them again.")
    x = np.full(kept.shape, np.nan)
    x[kept] = after[kept].astype(np.float64) - before[kept]
    return Change(store, from_step, to_step, before, x, kept, int((known_before ^ known_after).sum()))


def losses_at(store: Store, step: int) -> Float[np.ndarray, "S T"]:
    """Losses in nats at one step, NaN where there is none. Raises InputError for infinite ones and unknown steps."""
    steps = steps_of(store)
    if step not in steps:
        raise InputError(f"step {step}: not measured. Measured are: {', '.join(map(str, sorted(steps)))}.")
    try:
        loss = np.asarray(store["loss"].isel(checkpoint=steps.index(step)).transpose(*DIMS[1:]).to_numpy(), np.float32)
    except InputError:
        raise
    except Exception as error:  # zarr raises whatever a damaged piece happens to lead to
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"step {step}: its losses cannot be read ({cause}). Copy the store again.") from error
    if infinite := int(np.isinf(loss).sum()):
        raise InputError(
            f"step {step}: {infinite} losses are infinite, and no change from or to them is a number. "
            "Measure this checkpoint in float32, or choose other pairs."
        )
    return loss


def units_of(store: Store, wanted: UnitName | None = None) -> Units:
    """Documents where the store knows at least 20 of them, else sequences; or what is wanted.

    Raises InputError for documents that the store does not know.
    """
    if wanted == "sequence":
        return choose_units(None, store.sizes["sequence"])
    document = coordinate(store, "document")
    if wanted == "document" and document is not None:
        return Units("document", document)
    if wanted == "document":
        raise InputError("the store does not say which documents its tokens are from. Use --units sequence.")
    return choose_units(document, store.sizes["sequence"])


def choose_units(document: Shaped[np.ndarray, "S ..."] | None, n_sequences: int) -> Units:
    """The rule for the resampling unit, the same everywhere: documents where at least 20 are known, else sequences.

    document: number of the document of each token (broadcasts to [S, T]), negative at padding; None where unknown.
    """
    if document is not None and np.unique(document[document >= 0]).size >= FEWEST_UNITS:
        return Units("document", document)
    return Units("sequence", np.arange(n_sequences)[:, None])


def coordinate(store: Store, name: str) -> Shaped[np.ndarray, "S ..."] | None:
    """Whole numbers of each sequence, or of each position, as an array that broadcasts to [S, T]; None without them."""
    if name not in store.coords:
        return None
    values = store[name]
    if values.dtype.kind not in "iu":
        raise InputError(f"coordinate {name!r} is of {values.dtype}: number what it stands for, with whole numbers.")
    if set(values.dims) == {"sequence"}:
        return np.asarray(values.to_numpy())[:, None]
    if set(values.dims) != {"sequence", "position"}:
        raise InputError(f"coordinate {name!r} is on {values.dims}, not on (sequence) or (sequence, position).")
    return np.asarray(values.transpose("sequence", "position").to_numpy())


def tokens_of(store: Store) -> Shaped[np.ndarray, "S T"]:
    """The id that each position predicts. Raises InputError where the store does not say."""
    token = coordinate(store, "token")
    if token is None:
        raise InputError("the store does not say which tokens it predicts (no coordinate 'token'). Measure it again.")
    return token


def same_tokens(store: Store, other: Store) -> bool:
    """Whether two stores hold losses of the same tokens, place by place."""
    a, b = coordinate(store, "token"), coordinate(other, "token")
    return a is not None and b is not None and np.array_equal(a, b)
