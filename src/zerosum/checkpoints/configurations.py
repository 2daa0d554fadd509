"""Settings that are not those of the weights: the same weights under other settings are another function."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from zerosum.checkpoints._kind import UNUSED
from zerosum.checkpoints.kinds import kind_of
from zerosum.checkpoints.problems import Problem
from zerosum.errors import InputError

OTHER_CONFIGURATION = "other-configuration"
UNUSED_WEIGHTS = "unused-weights"

_VERSION = "transformers_version"
# Settings that change no loss of a model in evaluation mode: names, or ends of names.
_WITHOUT_EFFECT = (
    *(_VERSION, "_name_or_path", "architectures", "model_type", "dtype", "torch_dtype", "use_cache", "auto_map"),
    *("initializer_range", "dropout", "pdrop", "token_id", "_attn_implementation", "gradient_checkpointing"),
    *("output_attentions", "output_hidden_states", "return_dict", "id2label", "label2id", "layerdrop"),
)
_SECTIONS = ("text_config", "rope_parameters", "rope_scaling")  # transformers has moved settings into and out of them
_DEEPEST = 4  # sections within sections; a hostile file could have thousands
_MOST = 3  # differences in a sentence


def other_configurations(folders: Mapping[int, Path]) -> list[Problem]:
    """Problems of checkpoints whose settings differ from those of most others; of equal numbers, the earliest is right.

    folders: step -> folder or file.
    Settings that one file has and the other lacks count where the same version of transformers wrote both: versions
    differ in what they write.
    """
    read = {step: _settings(path) for step, path in folders.items()}
    settings = {step: own for step, own in read.items() if own}
    if not settings:
        return []
    others = list(settings.values())
    reference = min(settings, key=lambda step: (sum(bool(_differences(settings[step], own)) for own in others), step))
    texts = {step: _described(_differences(settings[reference], own)) for step, own in settings.items()}
    differing = sorted((text, step) for step, text in texts.items() if text)
    return [
        Problem(
            OTHER_CONFIGURATION,
            tuple(step for _, step in rows),
            f"other settings than at step {reference} ({text}), so not the same model with other weights. Correct "
            "the settings, or leave the checkpoint out.",
        )
        for text, rows in groupby(differing, key=lambda row: row[0])
    ]


def setting_differences(path: Path, other: Path) -> str:
    """How the settings of the second checkpoint differ from those of the first, in words; "" where they do not."""
    first, second = _settings(path), _settings(other)
    return _described(_differences(first, second)) if first and second else ""


def unused_weights(model: Any) -> str:
    """A sentence where a model does not use all weights in its files, as with fewer layers; "" where it does."""
    names: Sequence[str] = getattr(model, UNUSED, ())
    if not names:
        return ""
    return (
        f"{len(names)} of its weights have no place in the model that its settings describe ({names[0][:80]!a}"
        f"{', ...' if len(names) > 1 else ''}), so another model was measured than was trained. Correct the settings."
    )


def _settings(path: Path) -> dict[str, Any]:
    """Nothing where they cannot be read: loading the model says why."""
    kind = kind_of(path)
    try:
        return {} if kind is None else dict(_leaves(kind.settings(path)))
    except InputError:
        return {}


def _leaves(settings: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Settings by name, those of sections too. The version is kept: it says which files can be compared in full."""
    for name, value in settings.items():
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _leaves(value, prefix if name in _SECTIONS else f"{prefix}{name}.", depth + 1)
        elif name == _VERSION or not str(name).endswith(_WITHOUT_EFFECT):
            yield f"{prefix}{name}", value


def _differences(settings: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Name -> both values, where they differ."""
    names = settings.keys() & others.keys()
    if settings.get(_VERSION) == others.get(_VERSION):
        names = settings.keys() | others.keys()
    both = {name: (settings.get(name), others.get(name)) for name in sorted(names - {_VERSION})}
    return {name: pair for name, pair in both.items() if pair[0] != pair[1]}


def _described(differences: Mapping[str, tuple[Any, Any]]) -> str:
    parts = [f"{_short(name)} {_short(other)}, not {_short(own)}" for name, (own, other) in differences.items()]
    return "; ".join(parts[:_MOST]) + (f"; and {len(parts) - _MOST} more" if len(parts) > _MOST else "")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return ascii(text)[1:-1][:60]
