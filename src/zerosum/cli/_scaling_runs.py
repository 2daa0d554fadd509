"""The runs that a call of `zerosum scaling` names: read, with their sizes, and fitted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerosum.cli.options import Fitting, Reading
from zerosum.cli.progress import following
from zerosum.cli.sources import Failure, each
from zerosum.errors import InputError

if TYPE_CHECKING:
    from zerosum.scaling import DecelerationAcrossSizes, LossTable
    from zerosum.scaling.runs import SizedRun


def fitted_runs(
    sources: Sequence[str],
    params: str | None,
    tokens_per_step: str | None,
    embeddings: bool,
    read: Reading,
    fitting: Fitting,
) -> tuple[list["SizedRun"], list[Failure]]:
    """Each run with its size and fit, and what could not be used."""
    from dataclasses import replace

    from zerosum.runs import model_size
    from zerosum.scaling import sized_runs

    sizes = _one_each(params, len(sources), "--params")
    tokens = [None if text is None else _tokens(text) for text in _one_each(tokens_per_step, len(sources), "")]

    def fitted(job: tuple[str, str | None, float | None]) -> "SizedRun":
        source, size, per_step = job
        given = None if size is None else [size]
        (run,) = sized_runs([source], given, tokens=per_step, embeddings=embeddings, count=model_size, read=read)
        return replace(run, fit=fitting.fit_alone(run.curve).fit)

    with following(sources, "fitting") as given:
        done, failed = each(
            ((source, (source, size, per_step)) for source, size, per_step in zip(given, sizes, tokens, strict=True)),
            fitted,
        )
    return [run for _, run in done], failed


def over_sizes(
    runs: list["SizedRun"], predict: Sequence[float], level: float, cut: float | None
) -> tuple["DecelerationAcrossSizes | None", "LossTable | None", list[Failure]]:
    """Laws of L_d, t_d and r_d, the table of losses, and why one of them cannot be had.

    predict: further sizes. cut: training tokens at which the table begins; None: no table is wanted.
    """
    from zerosum.scaling import deceleration, losses_of

    given = [(run.label, runs) for run in runs[:1]]
    across, failed = each(given, lambda them: deceleration(them, predict=predict, level=level))
    tables, without = each(given if cut is not None else (), lambda them: losses_of(them, cut or 0.0))
    return (across[0][1] if across else None), (tables[0][1] if tables else None), failed + without


def _one_each(text: str | None, n: int, option: str) -> Sequence[str | None]:
    """The numbers of an option, separated by commas; one alone stands for all runs, where option is ""."""
    if text is None:
        return [None] * n
    numbers = [number.strip() for number in text.split(",")]
    if len(numbers) == 1 and not option:
        return numbers * n
    if len(numbers) != n:
        name = option or "--tokens-per-step"
        raise InputError(
            f"{name} {text[:60]!r}: {len(numbers)} numbers for {n} runs. Give one for each, in their order."
        )
    return numbers


def _tokens(text: str) -> float:
    from zerosum.scaling.columns import amount

    tokens = amount(text)
    if not 0 < tokens < float("inf"):
        raise InputError(f"--tokens-per-step {text[:40]!r}: no number of tokens above 0. Give for example 524288.")
    return tokens
