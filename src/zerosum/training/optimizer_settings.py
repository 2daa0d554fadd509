"""What every optimizer declares: settings, parameter groups, the optimizer of torch, the layout of its saved state,
and the settings at which it equals another optimizer.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, ValidationError

from zerosum.errors import InputError
from zerosum.training.identity import Identity
from zerosum.training.settings import Kind, first_problem

if TYPE_CHECKING:
    import torch

NonNegative = Annotated[float, Field(ge=0)]
PastWeight = Annotated[float, Field(ge=0, lt=1)]
"""Weight of the past in a running average, in [0, 1)."""


@dataclass(frozen=True)
class SavedLayout:
    """What the `state_dict` of an optimizer of torch holds.

    group_keys: numbers of each parameter group that every such state has; they identify the optimizer.
    optional_group_keys: numbers that only some versions of torch save. state_keys: values of each parameter, all of
    them present once the parameter was updated: tensors of the parameter's shape, but for the single numbers.
    optional_state_keys: values that may be present too. single_numbers: values that are one number for each parameter.
    keys_where: other `state_keys` of the groups in which a number is set, by the name of that number.
    """

    group_keys: tuple[str, ...]
    state_keys: frozenset[str] = frozenset()
    optional_state_keys: frozenset[str] = frozenset()
    optional_group_keys: tuple[str, ...] = ()
    single_numbers: frozenset[str] = frozenset({"step"})
    keys_where: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def matches(self, groups: Sequence[Mapping[str, Any]], states: Mapping[Any, Mapping[str, Any]]) -> bool:
        """Whether parameter groups and the states of their parameters, by number, are laid out like this."""
        return all(key in groups[0] for key in self.group_keys) and all(
            keys <= set(states[number]) <= keys | self.optional_state_keys
            for group in groups
            for keys in [self._state_keys_of(group)]
            for number in group["params"]
            if number in states
        )

    def _state_keys_of(self, group: Mapping[str, Any]) -> frozenset[str]:
        keys = (keys for name, keys in self.keys_where.items() if group.get(name) is not None)
        return next(keys, self.state_keys)


@dataclass(frozen=True)
class GoldenTrajectory:
    """Weights of 50 updates in float64, stored in `trajectories/`, for an optimizer that equals no other one.

    reason: why there is none. settings: with which the trajectory was made.
    """

    reason: str
    settings: Mapping[str, Any] = field(default_factory=dict)


class OptimizerSettings(Kind):
    """Settings of an optimizer; every optimizer subclasses this and adds its own.

    kind: of the optimizer; the name of its file. lr: learning rate. clip: largest Euclidean norm of the gradient;
    a larger gradient is scaled down to it before the update. decay_embeddings: whether weight decay acts on embeddings
    and on the output head too; it never acts on vectors.
    """

    title: ClassVar[str]
    """Name in tables and in JSON."""
    saved_layout: ClassVar[SavedLayout]
    """What the saved state of the optimizer holds."""
    cost: ClassVar[str]
    """Numbers of state for each weight, and the work of an update, in words."""
    identity: ClassVar[Identity | GoldenTrajectory]
    """Settings at which it equals another optimizer, or why there are none."""
    sharded: ClassVar[str | None] = None
    """Why it cannot update parameters that are sharded over processes (DTensor); None where it can."""
    schedules: ClassVar[tuple[str, ...] | None] = None
    """Kinds of learning-rate schedule that it may be combined with; None: all."""
    groups_rule: ClassVar[str] = "with weight decay, then without"
    """How `groups` orders the parameters, in words, for errors."""
    first_step_note: ClassVar[str | None] = None
    """What users must know about a first update without saved state; None where it is like every other."""
    step_note: ClassVar[str | None] = None
    """What users must know about every update that is measured; None where there is nothing."""
    evaluated_at: ClassVar[str | None] = None
    """Which weights it evaluates and saves, in words, where these are not those at which gradients are computed."""

    lr: float = Field(default=1e-3, ge=0)
    clip: PositiveFloat = 1.0
    decay_embeddings: bool = True

    @property
    def b2(self) -> float | None:
        """Weight of the past in the average of squared gradients; None where it has no such average."""
        betas = getattr(self, "betas", None)
        return betas[1] if betas else None

    @property
    def horizon(self) -> int | None:
        """Number of steps of the run that the settings are meant for; None where they fit every length."""
        return None

    @classmethod
    @abstractmethod
    def new(cls, groups: list[dict[str, Any]], *, fused: Literal[True] | None = None) -> "torch.optim.Optimizer":
        """The optimizer of torch over parameter groups that contain all its numbers.

        fused: use torch's fused kernel, which rounds differently; ignored by optimizers that have none.
        """

    @classmethod
    def was_saved_in(cls, groups: list[dict[str, Any]]) -> bool:
        """Whether saved groups are this optimizer's rather than another's of the same `saved_layout`."""
        return True

    def for_run(self, steps: int) -> "OptimizerSettings":
        """The settings for a run of so many updates, where the method depends on their number."""
        return self

    def group_numbers(self) -> dict[str, Any]:
        """What each parameter group holds beside its parameters."""
        return self.model_dump(include=self.own_fields())

    def groups(self, model: "torch.nn.Module") -> list[dict[str, Any]]:
        """The trainable parameters in two groups with all their numbers: those that decay, those that do not."""
        from zerosum.training.matrices import embeddings_and_head

        exempt = set() if self.decay_embeddings else embeddings_and_head(model)
        trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        decaying = {parameter for parameter in trainable if parameter.ndim >= 2} - exempt
        return [
            {"params": [parameter for parameter in trainable if parameter in decaying], **self.group_numbers()},
            {
                "params": [parameter for parameter in trainable if parameter not in decaying],
                **self.group_numbers(),
                "weight_decay": 0.0,
            },
        ]

    def build(self, model: "torch.nn.Module") -> "torch.optim.Optimizer":
        """The optimizer of torch over the trainable parameters of a model."""
        return self.new(self.groups(model), fused=True)

    @classmethod
    def load_training_weights(cls, optimizer: "torch.optim.Optimizer") -> None:
        """Write the weights at which gradients are computed into the parameters; they hold the evaluation weights."""

    @classmethod
    def load_evaluation_weights(cls, optimizer: "torch.optim.Optimizer") -> None:
        """Write the weights that are evaluated and saved into the parameters; they hold the training weights.

        For most optimizers both are the same, and neither method does anything.
        """

    @classmethod
    def evaluated(cls, optimizer: "torch.optim.Optimizer", parameter: "torch.Tensor") -> "torch.Tensor":
        """The evaluation weights of a parameter that holds the training weights; nothing is changed."""
        return parameter

    @classmethod
    @contextmanager
    def evaluation_weights(cls, optimizer: "torch.optim.Optimizer") -> Iterator[None]:
        """The parameters hold the weights that are evaluated and saved inside the block, and again, bit for bit, the
        training weights after it.
        """
        cls.load_evaluation_weights(optimizer)
        try:
            yield
        finally:
            cls.load_training_weights(optimizer)

    @classmethod
    def own_fields(cls) -> set[str]:
        """Names of the settings that the optimizer of torch takes."""
        return set(cls.model_fields) - {"kind", "clip", "decay_embeddings"}

    @classmethod
    def options(cls) -> dict[str, float]:
        """What `--optimizer NAME:...` can set, with defaults: lr, and each number by name; `betas` is beta1, beta2.

        >>> from zerosum.training.optimizers import OPTIMIZERS
        >>> OPTIMIZERS.settings("adamw").options()
        {'lr': 0.001, 'beta1': 0.9, 'beta2': 0.999, 'eps': 1e-08, 'weight_decay': 0.01}
        """
        defaults = single_numbers(cls().model_dump(include=cls.own_fields()))
        return {name: value for name, value in defaults.items() if not isinstance(value, str | bool)}

    @classmethod
    def from_options(cls, numbers: Mapping[str, float]) -> "OptimizerSettings":
        """Settings from numbers named as in `options`. Raises InputError where a number is out of range."""
        settings: dict[str, Any] = {}
        for name, default in cls().model_dump(include=cls.own_fields()).items():
            given = [numbers.get(key, value) for key, value in single_numbers({name: default}).items()]
            settings[name] = tuple(given) if isinstance(default, tuple) else given[0]
        try:
            return cls(**settings)
        except ValidationError as error:
            raise InputError(f"{first_problem(error, cls)}. Choose another number.") from error


def single_numbers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, pairs and longer tuples of numbers split up.

    >>> single_numbers({"betas": (0.9, 0.95), "eps": 1e-8})
    {'beta1': 0.9, 'beta2': 0.95, 'eps': 1e-08}
    """
    numbers: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, tuple | list):
            numbers |= {f"{name.removesuffix('s')}{place}": number for place, number in enumerate(value, start=1)}
        else:
            numbers[name] = value
    return numbers
