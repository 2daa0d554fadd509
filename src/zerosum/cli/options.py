"""Options that several verbs share, each written once: how logs are read, and how curves are fitted.

A verb that takes `read: Reading` or `fitting: Fitting` is given all the options of that group, in that place.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.curves import LossCurve
    from zerosum.curves.cleaning import OnRepeat as CurveOnRepeat
    from zerosum.deceleration import Analysis


Details = Annotated[bool, typer.Option("--details", help="Show all tables and reasons, not only the answer.")]


class OnResume(StrEnum):
    """Which row is kept of a step that was trained twice."""

    LAST = "last"
    FIRST = "first"
    ERROR = "error"


class OnRepeat(StrEnum):
    """Which of several losses of one step is taken."""

    LAST = "last"
    FIRST = "first"
    MEAN = "mean"


class ProcedureChoice(StrEnum):
    """How the points to fit are made of a curve."""

    ROBUST = "robust"
    PAPER = "paper"


class PhaseChoice(StrEnum):
    """What is fitted of a run whose learning rate falls in the end."""

    STABLE = "stable"
    WHOLE = "whole"


def _column(axis: str, words: str) -> Any:
    return typer.Option(f"--{axis}", metavar="NAME", help=f"Column of the {words}, where its name is not a usual one.")


@dataclass(frozen=True)
class Reading:
    """How every source of one call is read; see `zerosum.read_curve`."""

    loss: Annotated[str | None, _column("loss", "loss")] = None
    step: Annotated[str | None, _column("step", "step")] = None
    tokens: Annotated[str | None, _column("tokens", "tokens seen")] = None
    lr: Annotated[str | None, _column("lr", "learning rate")] = None
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where", metavar="COLUMN=VALUE", help="Read these rows of a table that holds several runs; repeatable."
        ),
    ] = None
    job: Annotated[
        int | None,
        typer.Option(
            "--job", min=1, metavar="N", help="Of jobs one after the other in a log, which; else the longest."
        ),
    ] = None
    every: Annotated[
        int | None, typer.Option("--every", metavar="N", help="Each loss of a log without steps stands for N steps.")
    ] = None
    pattern: Annotated[
        str | None,
        typer.Option(
            "--pattern", metavar="REGEX", help="Lines of a text log, with groups (?P<step>...), (?P<loss>...)."
        ),
    ] = None
    on_resume: Annotated[
        OnResume, typer.Option("--on-resume", help="Of steps trained twice, after a restart, which stays; or refuse.")
    ] = OnResume.LAST
    on_repeat: Annotated[
        OnRepeat | None, typer.Option("--on-repeat", help="Where most steps have several losses, which is taken.")
    ] = None
    bytes_per_token: Annotated[
        float | None,
        typer.Option(
            "--bytes-per-token", metavar="B", help="The loss is in bits per byte: convert it to nats per token."
        ),
    ] = None

    def __call__(self, source: str) -> "LossCurve":
        """Read one source."""
        from zerosum.curves import read_curve

        return read_curve(
            source,
            loss=self.loss,
            step=self.step,
            tokens=self.tokens,
            lr=self.lr,
            where=self.rows_chosen(),
            job=self.job,
            every=self.every,
            pattern=self.pattern,
            on_resume=self.on_resume.value,
            on_repeat=self._repeat,
            bytes_per_token=self.bytes_per_token,
        )

    def join(self, parts: "list[LossCurve]") -> "LossCurve":
        """One curve of the parts of one run."""
        from zerosum.curves import join_curves

        return join_curves(parts, on_resume=self.on_resume.value, on_repeat=self._repeat)

    @property
    def _repeat(self) -> "CurveOnRepeat | None":
        return None if self.on_repeat is None else self.on_repeat.value

    def rows_chosen(self) -> dict[str, str]:
        """Column -> value of the rows to read, from --where."""
        chosen = {}
        for text in self.where or ():
            column, equals, value = text.partition("=")
            if not (column and equals):
                raise InputError(f"--where {text[:60]!r}: not COLUMN=VALUE. Write for example --where model=small.")
            chosen[column] = value
        return chosen


@dataclass(frozen=True)
class Fitting:
    """How every curve of one call is fitted; see `zerosum.fit`."""

    procedure: Annotated[
        ProcedureChoice, typer.Option(help="robust: log bins. paper: the published smoothing, thinning, least squares.")
    ] = ProcedureChoice.ROBUST
    cutoff: Annotated[
        float | None,
        typer.Option(min=0, metavar="N", help="Drop steps up to N. Without it 100; robust: 1 % of a shorter run."),
    ] = None
    phase: Annotated[
        PhaseChoice | None,
        typer.Option(
            help="stable: stop where the learning rate falls. whole: fit through it. Without it stable; paper: whole."
        ),
    ] = None
    level: Annotated[float, typer.Option(metavar="P", help="Nominal coverage of the intervals, between 0 and 1.")] = (
        0.95
    )

    def fit_alone(self, curve: "LossCurve") -> "Analysis":
        """The fit alone, without forecasts and other laws, within milliseconds."""
        from zerosum import deceleration
        from zerosum.runs import ngrams_of, noted

        alone = deceleration.Analysis(deceleration.fit(curve, **self._chosen()), (), ())
        return noted(alone, ngrams_of(curve.source))

    def analyse(self, curve: "LossCurve", horizons: list[float] | None = None, breaks: int | None = None) -> "Analysis":
        """The fit with other laws, forecasts and their back-test, within seconds; and with so many breaks, if asked."""
        from zerosum import deceleration
        from zerosum.runs import ngrams_of, noted

        chosen = self._chosen() | ({} if breaks is None else {"breaks": breaks})
        return noted(deceleration.analyse(curve, horizons=horizons or (), **chosen), ngrams_of(curve.source))

    def _chosen(self) -> dict[str, Any]:
        phase = None if self.phase is None else self.phase.value
        return {"procedure": self.procedure.value, "cutoff": self.cutoff, "phase": phase, "level": self.level}


def _default(option: "Field[Any]") -> Any:
    return inspect.Parameter.empty if option.default is MISSING else option.default


def expand_option_groups(verb: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter of a verb that stands for a group of options by the options of the group."""
    own = inspect.signature(verb).parameters.values()
    groups: dict[str, Any] = {given.name: given.annotation for given in own if is_dataclass(given.annotation)}
    parameters: list[inspect.Parameter] = []
    for given in own:
        if given.name in groups:
            parameters += [
                inspect.Parameter(option.name, given.kind, default=_default(option), annotation=option.type)
                for option in fields(given.annotation)
            ]
        else:
            parameters.append(given)

    @functools.wraps(verb)
    def called(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{option.name: values.pop(option.name) for option in fields(group)})
        verb(**values)

    # Typer reads options off the signature, and their types off the annotations.
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called
