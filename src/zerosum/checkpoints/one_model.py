"""Whether checkpoints are of one model that can be measured: told from their settings and headers, before any loads."""

from collections.abc import Mapping, Sequence

from zerosum.checkpoints._run import Checkpoint
from zerosum.checkpoints.kinds import kind_of
from zerosum.checkpoints.kinds.hugging_face import KIND, read_json, require_plain
from zerosum.errors import InputError

Shapes = Mapping[str, Sequence[int]]

# Not trained: constants that some versions of transformers write and others do not.
_CONSTANTS = (".inv_freq", ".attn.bias", ".attention.bias", ".masked_bias")


def require_one_model(checkpoints: Sequence[Checkpoint]) -> None:
    """Raise InputError where a Hugging Face folder is quantised, of another model than the first, or lacks weights.

    Folders of other kinds name their weights in their own ways; what is wrong with them is found when they load.
    """
    folders = [one for one in checkpoints if kind_of(one.path) is KIND]
    for one in folders:
        require_plain(one.path)
    if len(folders) < 2:
        return
    first, *others = folders
    model, shapes = _model_type(first), first.weights().named_shapes()
    for one in others:
        other = _model_type(one)
        if other != model:
            raise InputError(
                f"{one.name}: a model of type {other!a}, but {first.name} is one of type {model!a}. "
                "Give checkpoints of one run."
            )
        _require_same(one, one.weights().named_shapes(), first, shapes)


def _model_type(checkpoint: Checkpoint) -> str:
    return str(read_json(checkpoint.path / "config.json").get("model_type"))[:80]


def _require_same(one: Checkpoint, shapes: Shapes, first: Checkpoint, expected: Shapes) -> None:
    for name in shapes.keys() & expected.keys():
        if list(shapes[name]) != list(expected[name]):
            raise InputError(
                f"{one.name}: {name[:80]!a} has the shape {list(shapes[name])}, in {first.name} "
                f"{list(expected[name])}: models of other sizes. Give checkpoints of one run."
            )
    for lacking, its, beside, others in ((one, shapes, first, expected), (first, expected, one, shapes)):
        lost = sorted(name for name in others.keys() - its.keys() if not _may_lack(name, its, others))
        if lost:
            raise InputError(
                f"{lacking.name}: {len(lost)} of the weights of {beside.name} are not in it ({lost[0][:80]!a}"
                f"{', ...' if len(lost) > 1 else ''}). Copy it again, or give checkpoints of one run."
            )


def _may_lack(name: str, its: Shapes, others: Shapes) -> bool:
    """A constant, or one of two tied matrices, which may be written once or twice."""
    return name.endswith(_CONSTANTS) or any(
        list(shape) == list(others[name]) and _is_embedding(name) and _is_embedding(other)
        for other, shape in its.items()
    )


def _is_embedding(name: str) -> bool:
    return any(word in name for word in ("embed", "wte", "lm_head"))
