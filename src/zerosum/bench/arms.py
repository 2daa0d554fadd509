"""Arms of a bench: what each changes of the baseline, and what differs beside its method. Loads no torch."""

from collections.abc import Mapping
from typing import Any

from zerosum.errors import InputError
from zerosum.recipes import find_recipe, named_recipe, recipe_names, variant_names
from zerosum.training.aggregators import AGGREGATORS
from zerosum.training.changes import parse_changes, plain_value, with_changes
from zerosum.training.kinds import Kinds
from zerosum.training.objectives import OBJECTIVES
from zerosum.training.optimizer_settings import OptimizerSettings
from zerosum.training.optimizers import OPTIMIZERS
from zerosum.training.recipe import Recipe, flat_values

ArmChanges = dict[str, Any]
METHODS = ("optimizer", "objective", "aggregator")
"""Parts of a recipe that an arm may change, and beside them only what `NOTED` says."""
NOTED = {"batch.passes": "other-accumulation", "schedule.warmup_steps": "other-warmup"}
RATES, _DECAY = ("optimizer.lr", "optimizer.adamw_lr"), "optimizer.weight_decay"
FAR = 2.0 * (1 + 1e-9)
"""Ratio of a second rate to the baseline's best, or its inverse, above which it is noted: a step of the grid is not."""
_SHORT_NAMES = {"cautious": "cautious_adamw"}
_FOLDERS: Mapping[str, Kinds[Any]] = {"optimizer": OPTIMIZERS, "objective": OBJECTIVES, "aggregator": AGGREGATORS}
_COMMON_RATE = OptimizerSettings.model_fields["lr"].default


def arm_changes(given: Any, baseline: Recipe, own_set: Mapping[str, Any]) -> ArmChanges:
    """Changes of the baseline by dotted name, from changes, from a text like "rho1:k=0.6", or from a recipe's name.

    own_set: values that are set for every arm. Another kind of method begins with settings that suit the baseline (see
    `_start`), and what is given comes on top. Raises InputError where a text names nothing, and where a recipe differs
    from the baseline in more than its method.

    >>> arm_changes("cautious", named_recipe("tiny_25k"), {})["optimizer.kind"]
    'cautious_adamw'
    """
    if isinstance(given, Mapping):
        changes = {name: plain_value(value) for name, value in flat_values(given).items()}
        for method in METHODS:
            kind = changes.get(f"{method}.kind")
            if kind not in (None, getattr(baseline, method).kind):
                changes = {**_start(method, str(kind), baseline), **changes}
        return changes
    if not isinstance(given, str):
        raise InputError(f"arm {given!r}: not known. Give changes such as {{optimizer.kind: muon}}, or a name.")
    name, _, rest = given.partition(":")
    kind = _SHORT_NAMES.get(name, name)
    part = _part_of(kind)
    if part is None:
        return _of_recipe(given, baseline, own_set)
    settings = parse_changes(rest.split(",")) if rest else {}
    return {**_start(part, kind, baseline), **{f"{part}.{key}": value for key, value in settings.items()}}


def _part_of(kind: str) -> str | None:
    return next((part for part, folder in _FOLDERS.items() if kind in folder.names()), None)


def _start(part: str, kind: str, baseline: Recipe) -> ArmChanges:
    """Another kind, with settings that suit the baseline.

    An optimizer has the baseline's eps, decay and, where they mean the same, betas; its own default rate where its
    rates are of another range, else the baseline's. What the variant of a named recipe changes comes on top, with rates
    in proportion to the baseline's; settings for a number of updates are those of the run instead.
    """
    changes: ArmChanges = {f"{part}.kind": kind}
    if part == "optimizer":
        changes |= _shared(OPTIMIZERS.settings(kind), baseline.optimizer)
    variant = f"{baseline.name}_{kind}"
    if variant in variant_names() and baseline.name in recipe_names():
        own, plain = named_recipe(variant), named_recipe(baseline.name)
        factor = baseline.optimizer.lr / plain.optimizer.lr
        for name, value in _different(own, plain).items():
            if own.optimizer.horizon is None or value != own.optimizer.horizon:
                changes[name] = _rounded(value * factor) if name in RATES else value
    return {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}


def _shared(settings: type[OptimizerSettings], theirs: OptimizerSettings) -> ArmChanges:
    fields, others = settings.model_fields, type(theirs).model_fields
    changes: ArmChanges = {}
    for name in ("betas", "eps", "weight_decay"):
        if name in fields and name in others:
            same = name != "betas" or fields[name].default == others[name].default or "adamw_lr" in fields
            if same:
                changes[f"optimizer.{name}"] = getattr(theirs, name)
    if fields["lr"].default != _COMMON_RATE:
        changes["optimizer.lr"] = fields["lr"].default
    if "adamw_lr" in fields:
        changes["optimizer.adamw_lr"] = theirs.lr
    return changes


def _of_recipe(name: str, baseline: Recipe, own_set: Mapping[str, Any]) -> ArmChanges:
    """What a recipe changes of the baseline. Raises InputError where that is more than a method."""
    try:
        recipe = find_recipe(name)
    except InputError as error:
        kinds = [kind for folder in _FOLDERS.values() for kind in folder.names()]
        raise InputError(f"arm {name}: not known: neither a recipe nor one of {', '.join(kinds)}.") from error
    changes = changed(with_changes(recipe, own_set) if own_set else recipe, baseline)
    require_method(name, changes)
    return changes


def require_method(name: str, changes: Mapping[str, Any]) -> None:
    """Raise InputError where changes are of more than a method: then pairs would not share what they must."""
    for key in changes:
        if key.partition(".")[0] not in METHODS and key not in NOTED:
            raise InputError(
                f"arm {name}: differs from the baseline in {key}, which is no method: its runs would share neither "
                f"batches nor weights with the baseline's. Take it out, or put it into set: for every arm."
            )


def differences(arm: Recipe, baseline: Recipe) -> dict[str, Any]:
    """Values in which an arm differs from the baseline, by dotted name, but those that are tuned or follow the rate."""
    return {name: value for name, value in _different(arm, baseline).items() if name not in (*RATES, _DECAY)}


def changed(arm: Recipe, baseline: Recipe) -> ArmChanges:
    """What makes the baseline's recipe the arm's: values that differ, and of a method of another kind all values."""
    others = [part for part in METHODS if getattr(arm, part).kind != getattr(baseline, part).kind]
    whole = {name: value for name, value in arm.flat().items() if name.partition(".")[0] in others}
    changes = {**_different(arm, baseline), **whole}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in changes.items()}


def _different(arm: Recipe, baseline: Recipe) -> dict[str, Any]:
    """Values of an arm that are not the baseline's; names and seeds do not count."""
    plain = baseline.flat()
    return {
        name: value
        for name, value in arm.flat().items()
        if name not in ("name", "seed") and (name not in plain or plain[name] != value)
    }


def notes(arm: Recipe, baseline: Recipe) -> tuple[str, ...]:
    """Codes of what differs beside the method, such as clipping, decay, or the average of squares.

    Once both are tuned, give them at their best rates: an arm with a second rate is compared with the baseline there.
    """
    ours, theirs = arm.optimizer, baseline.optimizer
    codes = {
        "other-batch": arm.batch.tokens != baseline.batch.tokens or arm.batch.length != baseline.batch.length,
        "other-accumulation": arm.batch.passes != baseline.batch.passes,
        "other-clip": ours.clip != theirs.clip,
        "other-decay": abs(decay_product(arm) - decay_product(baseline)) > 1e-9 * max(1e-300, decay_product(baseline)),
        "other-groups": ours.decay_embeddings != theirs.decay_embeddings or ours.groups_rule != theirs.groups_rule,
        "other-b2": ours.kind != theirs.kind and None not in (ours.b2, theirs.b2) and ours.b2 != theirs.b2,
        "other-second-rate": ours.kind != theirs.kind and _far_apart(getattr(ours, "adamw_lr", theirs.lr), theirs.lr),
        "other-warmup": arm.schedule.warmup_steps != baseline.schedule.warmup_steps,
        "other-schedule": arm.schedule.kind != baseline.schedule.kind,
        "no-cooldown": ours.schedules is not None and "wsd" not in ours.schedules,
        "warmup-longer-than-run": arm.schedule.warmup_steps >= arm.steps,
        "weighted-loss": arm.objective.weighs_tokens,
    }
    return tuple(code for code, is_so in codes.items() if is_so)


def _far_apart(rate: float, other: float) -> bool:
    """Whether one rate is more than twice the other."""
    return max(rate, other) > FAR * min(rate, other)


def decay_product(recipe: Recipe) -> float:
    """Rate times decoupled decay: the share by which an update shrinks a matrix."""
    return recipe.optimizer.lr * float(getattr(recipe.optimizer, "weight_decay", 0.0)) if _decoupled(recipe) else 0.0


def _decoupled(recipe: Recipe) -> bool:
    """Whether decay shrinks weights by rate times decay, and is no part of the gradient."""
    return recipe.optimizer.kind not in ("adam", "sgd") and hasattr(recipe.optimizer, "weight_decay")


def at_rate(recipe: Recipe, lr: float, decay: float) -> Recipe:
    """An arm at another rate. decay: its product of rate and decay, which stays. Other rates stay in proportion."""
    changes: dict[str, Any] = {"optimizer.lr": lr}
    if hasattr(recipe.optimizer, "adamw_lr"):
        changes["optimizer.adamw_lr"] = _rounded(recipe.optimizer.adamw_lr * lr / recipe.optimizer.lr)
    if _decoupled(recipe):
        changes["optimizer.weight_decay"] = _rounded(decay / lr)
    return with_changes(recipe, changes)


def tuned_alike(arm: Recipe, baseline: Recipe) -> Recipe:
    """The arm at the baseline's own rate, as it would be trained there."""
    return at_rate(arm, baseline.optimizer.lr, decay_product(baseline))


def _rounded(value: float) -> float:
    return float(f"{value:.12g}")
