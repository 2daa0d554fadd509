"""Run by run and size by size: what happened, in paragraphs. Plain text: whoever shows it escapes it."""

from dataclasses import dataclass

from zerosum.show import numbers as n
from zerosum.show.suite.summary import AcrossSeeds, Estimate, RunSummary, SuiteSummary
from zerosum.show.suite.zero_sum import chance, ends_of, zero_sum
from zerosum.show.words import BREAKS, VERDICTS, deceleration, listed


@dataclass(frozen=True)
class Story:
    """What one run did. name: as the user gave it, untrusted. sentences: paragraphs on its loss, its tokens, chance."""

    name: str
    n_params: int
    sentences: tuple[str, ...]


def stories(summary: SuiteSummary) -> list[Story]:
    """One story per run, in order."""
    return [Story(label(run, summary), run.n_params, _paragraphs(run)) for run in summary.runs]


def _paragraphs(run: RunSummary) -> tuple[str, ...]:
    last = [chance(ends_of(run)[1].interference)] if run.double else []
    return tuple(text for text in (deceleration(run.fit), other_cutoffs(run), zero_sum(run), *last) if text)


def over_seeds(size: AcrossSeeds) -> str:
    """One size over its seeds, with intervals over the seeds."""
    many = len(size.seeds)
    cancelled = ""
    if size.D:
        first, last = (_mean(pair.D, n.D, many) for pair in (size.D[0], size.D[-1]))
        cancelled = f" D was {first} over the first doubling and {last} over the last."
    return (
        f"Over N\xa0=\xa0{many} seeds the loss bent at t_d\xa0=\xa0{_mean(size.t_d, n.T_D, many)} and "
        f"L_d\xa0=\xa0{_mean(size.L_d, n.L_D, many)}, and fell on at r_d\xa0=\xa0{_mean(size.r_d, n.R_D, many)}."
        f"{cancelled} The last held-out loss was {_mean(size.final_loss, n.LOSS, many)}."
    )


def _mean(found: Estimate, form: n.Form, many: int) -> str:
    about = [] if many == found.N else [f"N\xa0=\xa0{found.N} {found.N_of}"]
    about += [] if found.interval else [f"no interval: {found.reason}"]
    return n.text(found.value, found.interval, form) + (f" ({'; '.join(about)})" if about else "")


def label(run: RunSummary, summary: SuiteSummary) -> str:
    """The run's name, with its seed where other seeds share the name."""
    shared = sum(other.name == run.name for other in summary.runs) > 1
    return f"{run.name} · seed {run.seed}" if shared else run.name


def other_cutoffs(run: RunSummary, of: str = "this run") -> str:
    """At which other cut-offs the verdict would be another; nothing where it is the same at all of them."""
    differing: dict[str, list[float]] = {}
    for row in run.cutoffs:
        if row.verdict != run.fit.verdict:
            differing.setdefault(row.verdict, []).append(row.cutoff)
    if not differing:
        return ""
    each = " and ".join(
        f"at {'a cut-off' if len(after) == 1 else 'cut-offs'} of {listed(sorted(after))} steps "
        f"“{VERDICTS.get(verdict, verdict)}”"
        for verdict, after in differing.items()
    )
    lost = run.fit.verdict in BREAKS
    meaning = "this break is not certain" if lost else "the verdict depends on the cut-off"
    return f"The verdict for {of} would be {each}: {meaning}."
