"""Checks that all checkpoints are of one model, from settings and tensor shapes, before any model is loaded."""

from collections.abc import Mapping, Sequence

from zerosum.checkpoints._kind import CONSTANTS
from zerosum.checkpoints._run import Checkpoint
from zerosum.checkpoints.kinds import kind_of
from zerosum.checkpoints.kinds.hugging_face import KIND, read_json, require_plain
from zerosum.errors import InputError

Shapes = Mapping[str, Sequence[int]]  # name of a tensor -> its shape


def require_one_model(checkpoints: Sequence[Checkpoint]) -> None:
    """Raise InputError where a Hugging Face folder is quantised, of another model than the first, or lacks weights.

    Other kinds name their weights differently; their problems are reported when they are loaded.
    """
    folders = [checkpoint for checkpoint in checkpoints if kind_of(checkpoint.path) is KIND]
    for checkpoint in folders:
        require_plain(checkpoint.path)
    if len(folders) < 2:
        return
    first, *others = folders
    first_type, first_shapes = _model_type(first), first.weights().named_shapes()
    for checkpoint in others:
        model_type = _model_type(checkpoint)
        if model_type != first_type:
            raise InputError(
                f"{checkpoint.name}: a model of type {model_type!a}, but {first.name} is a model of type "
                f"{first_type!a}. Give checkpoints of one run."
            )
        shapes = checkpoint.weights().named_shapes()
        _require_same_shapes(checkpoint, shapes, first, first_shapes)
        _require_weights_of(checkpoint, shapes, first, first_shapes)
        _require_weights_of(first, first_shapes, checkpoint, shapes)


def _model_type(checkpoint: Checkpoint) -> str:
    return str(read_json(checkpoint.path / "config.json").get("model_type"))[:80]


def _require_same_shapes(checkpoint: Checkpoint, shapes: Shapes, first: Checkpoint, first_shapes: Shapes) -> None:
    for name in shapes.keys() & first_shapes.keys():
        if list(shapes[name]) != list(first_shapes[name]):
            raise InputError(
                f"{checkpoint.name}: {name[:80]!a} has the shape {list(shapes[name])}, but in {first.name} "
                f"{list(first_shapes[name])}: models of different sizes. Give checkpoints of one run."
            )


def _require_weights_of(checkpoint: Checkpoint, shapes: Shapes, other: Checkpoint, other_shapes: Shapes) -> None:
    """Raise InputError where `checkpoint` lacks weights that the other checkpoint has."""
    missing = sorted(name for name in other_shapes.keys() - shapes.keys() if not _may_lack(name, shapes, other_shapes))
    if missing:
        raise InputError(
            f"{checkpoint.name}: lacks {len(missing)} of the weights of {other.name} ({missing[0][:80]!a}"
            f"{', ...' if len(missing) > 1 else ''}). Copy it again, or give checkpoints of one run."
        )


def _may_lack(name: str, shapes: Shapes, other_shapes: Shapes) -> bool:
    """Whether a tensor may be missing: a constant, or a tied matrix, which may be written once or twice."""
    return name.endswith(CONSTANTS) or any(
        list(shape) == list(other_shapes[name]) and _is_embedding(name) and _is_embedding(present)
        for present, shape in shapes.items()
    )


def _is_embedding(name: str) -> bool:
    return any(word in name for word in ("embed", "wte", "lm_head"))
