"""The gradient noise scale against step, and whether D_grad says more than the noise scale does."""

import math
from collections.abc import Iterator
from typing import Any

from zerosum.gradients import GradientInterference, GradientsOverTraining
from zerosum.gradients.noise import AS_NOISE, LESS, MORE, UNKNOWN_NOISE, NoiseScale
from zerosum.show import drawing as d
from zerosum.show import numbers as n
from zerosum.show.report import Report
from zerosum.show.section import with_sentences
from zerosum.show.sections import _gradient_axes as axes
from zerosum.show.sections import _gradient_words as words
from zerosum.show.sections._single_run import absent_of_several
from zerosum.show.table import PEOPLE, Column, Table, Text, Value

TITLE = "Gradient or noise? The gradient noise scale"
PLACE = 51.5
OF_ONE_RUN = GradientsOverTraining
HOW_TO_READ = (
    "Left: the gradient noise scale, the number of tokens in a batch at which the noise of the batch's mean gradient "
    "is as large as the gradient. The dashed line is the number of tokens in a batch of this run: where it lies below "
    "the noise scale, most of each step is noise, and a larger batch pays; where it lies far above, a larger batch "
    "pays little. Bars are 95 % intervals. An arrow: on these tokens noise hides the gradient, and only the lower end "
    "is known. Right: what is left of all gradient, 1 − D_grad, and what would be left if the sequences were "
    "independent and had this noise scale, or were noise alone. Where the first two agree, D_grad is the noise scale "
    "in another form, and says nothing beyond it. All are of matrices, norms and biases, without embedding and head."
)
COMPARISONS = {
    AS_NOISE: "so D_grad says nothing beyond the noise scale and N",
    MORE: "so tokens cancel more than independent noise would, and D_grad says more than the noise scale",
    LESS: "so tokens cancel less than independent noise would, and D_grad says more than the noise scale",
}
SHORT = {
    AS_NOISE: "D_grad says no more",
    MORE: "more cancels than by noise",
    LESS: "less cancels than by noise",
}
TOKENS = n.Form("", "tokens", digits=2)
LOOKS = {"D_grad": axes.BLUE, "D_grad_noise": axes.ORANGE, "D_grad_null_unit": axes.GREEN}
LABELS = {"D_grad": "measured", "D_grad_noise": "noise of this scale", "D_grad_null_unit": "noise alone"}
COLUMNS = ("noise_scale", *LOOKS)
FORMULAS = {
    "Gradient noise scale": """<code>tr(Σ) / |μ|²</code> in tokens (McCandlish et al. 2018). With G_u the gradient
of the summed loss of sequence u with n_u tokens: <code>|μ|² = (|Σ_u G_u|² − Σ_c |G_c|²) / (N² − Σ_c n_c²)</code>, from
products between different documents (or sequences) c, which noise leaves 0 on average, and <code>tr(Σ) = (Σ_u |G_u|²
− |μ|² Σ_u n_u²) / N</code>. A batch of whole sequences with b tokens has a mean gradient with squared error
<code>tr(Σ) / b</code>. <code>D_grad_null_unit</code> is D_grad with a random sign for each sequence,
<code>D_grad_noise</code> the same with the mean gradient that the noise scale implies; both take sums of many
sequences as Gaussian.""",
    "Conflict rate": """Share of the pairs of documents (or sequences) whose gradients have a negative product. Noise
alone gives 50 %, and the smaller the groups, the nearer to 50 % it is: it is shown with their mean size.""",
}


def absent(report: Report) -> str | None:
    """Where no checkpoint has a noise scale measured; of one run at a time."""
    over = report.only(GradientsOverTraining)
    if over is None:
        return absent_of_several(report, GradientsOverTraining)
    return None if _measured(over) else UNKNOWN_NOISE


def _measured(over: GradientsOverTraining) -> list[tuple[GradientInterference, NoiseScale]]:
    return [(checkpoint, checkpoint.noise) for checkpoint in over.checkpoints if checkpoint.noise]


def sentences(report: Report) -> Iterator[str]:
    """The noise scale beside the batch of the run; what D_grad says beside it; the conflict rate with its null."""
    checkpoint, noise = _measured(words.measured(report))[-1]
    yield words.at_step(checkpoint, _scale(checkpoint, noise))
    if noise.compared(checkpoint.D_grad):
        yield _compared(checkpoint, noise)
    if math.isfinite(noise.conflict_rate):
        yield (
            f"Of the pairs of {noise.units}s, {100 * noise.conflict_rate:.0f} % have gradients in conflict; noise "
            f"alone gives {100 * noise.conflict_rate_null:.0f} %. Groups: {n.count(noise.n_units)} {noise.units}s of "
            f"{n.count(round(noise.tokens_per_unit))} tokens on average; mean cosine {noise.mean_cosine:.2g}."
        )


def _scale(checkpoint: GradientInterference, noise: NoiseScale) -> str:
    scale, batch = noise.estimate("noise_scale"), batch_tokens(checkpoint)
    if not scale.known:
        return f"the gradient noise scale is not known: {scale.reason}."
    text = f"the gradient noise scale is {n.text(scale.value, scale.interval, TOKENS)}"
    if batch is None:
        return f"{text}."
    low, high = scale.interval or (scale.value, scale.value)
    beside = (
        "so most of each step is noise"
        if batch < low
        else "so noise is the smaller part of a step"
        if batch > high
        else ""
    )
    return f"{text}; a batch of this run has {n.count(round(batch))}{', ' + beside if beside else ''}."


def _compared(checkpoint: GradientInterference, noise: NoiseScale) -> str:
    would = words.with_interval(noise.estimate("D_grad_noise"))
    return (
        f"Independent noise of this scale would give D_grad = {would} at this N; measured is "
        f"{words.with_interval(checkpoint.estimate('D_grad'))}, {COMPARISONS[noise.compared(checkpoint.D_grad)]}."
    )


def headline(report: Report) -> str:
    """The same of the last checkpoint in one sentence."""
    checkpoint, noise = _measured(words.measured(report))[-1]
    scale, would = noise.estimate("noise_scale"), noise.estimate("D_grad_noise")
    if not scale.known:
        return f"Noise scale: {scale.reason}."
    if code := noise.compared(checkpoint.D_grad):
        text = n.text(scale.value, scale.interval, TOKENS)
        return f"Noise of this scale, {text}, gives D_grad = {words.with_interval(would)}: {SHORT[code]}."
    return ""


def batch_tokens(checkpoint: GradientInterference) -> float | None:
    """Mean tokens of a batch of the run up to this checkpoint; None where that is not known."""
    return checkpoint.tokens_seen / checkpoint.step if checkpoint.step and checkpoint.tokens_seen else None


def tables(report: Report) -> Iterator[Table]:
    """Every checkpoint: noise scale, D_grad and what noise would give, conflict rate and the groups' size."""
    measured = _measured(words.measured(report))
    columns = (
        Column("step", on=PEOPLE),
        Column("noise_scale", unit="tokens", form=TOKENS, on=PEOPLE),
        *(Column(name, name, LABELS[name], words.SHARE, on=PEOPLE) for name in LOOKS),
        Column("conflict_rate", "conflict rate", "noise alone: 50 %", on=PEOPLE),
    )
    rows: tuple[tuple[Value, ...], ...] = tuple(
        (Text(n.count(checkpoint.step)), *(checkpoint.estimate(name) for name in COLUMNS), _conflicts(noise))
        for checkpoint, noise in measured
    )
    yield Table("noise-scale", "Gradient noise scale of every checkpoint", columns, rows).with_csv(numbers(report))


def _conflicts(noise: NoiseScale) -> Text:
    size = f"{n.count(noise.n_units)} {noise.units}s of {n.count(round(noise.tokens_per_unit))} tokens"
    rate = f"{100 * noise.conflict_rate:.0f} %" if math.isfinite(noise.conflict_rate) else "–"
    return Text(rate, note=size)


def plot(report: Report, layout: "d.Layout" = "wide") -> "d.Figure":
    """The noise scale with the batch of the run; what is left of all gradient beside what noise would leave."""
    over = words.measured(report)
    with d.style():
        fig, (scale, rest) = d.panels(2, layout, height=3.0, columns=2)
        reached = axes.series(scale, over, axes.reading("noise_scale"), axes.PURPLE, floor=1e-9)
        reached += [*_arrows(scale, over), *_batches(scale, over)]
        left = [
            v for name, look in LOOKS.items() for v in axes.series(rest, over, axes.remainder(name), look, floor=1e-9)
        ]
        scale.set_title("noise scale")
        scale.set_ylabel("tokens")
        rest.set_title(f"what is left ({axes.title_N(over)})")
        rest.set_ylabel("1 − D_grad")
        for ax, values in ((scale, reached), (rest, left)):
            if values:
                d.log_axis(ax, "y", values, pad=1.5)
            axes.step_axis(ax, axes.steps_of(over.checkpoints))
        axes.warn(fig, over, layout)
        entries = [axes.entry("noise scale", axes.PURPLE), d.entry("batch of the run", color=d.INK, linestyle="--")]
        entries += [axes.entry(LABELS[name], look) for name, look in LOOKS.items()]
        d.legend_below(fig, [*entries, *axes.handles(over)], layout)
    return fig


def _arrows(ax: "d.Axes", over: GradientsOverTraining) -> list[float]:
    """Lower ends of noise scales that have no upper one."""
    ends = [
        (float(checkpoint.step or 0), noise.at_least)
        for checkpoint, noise in _measured(over)
        if not math.isfinite(noise.noise_scale) and noise.at_least > 0
    ]
    for step, low in ends:
        ax.annotate(
            "",
            (step, 2 * low),
            (step, low),
            arrowprops={"arrowstyle": "->", "color": d.SERIES[axes.PURPLE[0]], "linewidth": 1.2},
        )
    return [value for _, low in ends for value in (low, 2 * low)]


def _batches(ax: "d.Axes", over: GradientsOverTraining) -> list[float]:
    """The dashed line of the run's batches."""
    known = [(float(c.step or 0), batch) for c in over.checkpoints if (batch := batch_tokens(c))]
    ax.plot(*zip(*known, strict=True), color=d.INK, linestyle="--", linewidth=1) if known else None
    return [batch for _, batch in known]


alt = with_sentences(
    "The gradient noise scale against step, beside the tokens of a batch; and 1 − D_grad against step, as measured and "
    "as noise would leave it.",
    sentences,
)


def numbers(report: Report) -> list[dict[str, Any]]:
    """One row for each checkpoint, with intervals."""
    rows = []
    for checkpoint, noise in _measured(words.measured(report)):
        more = ("mean_cosine", "conflict_rate", "conflict_rate_null", "n_units", "units", "tokens_per_unit")
        rows.append(
            axes.row(checkpoint, COLUMNS)
            | {"noise_scale_at_least": noise.at_least, "batch_tokens": batch_tokens(checkpoint)}
            | {name: getattr(noise, name) for name in more}
        )
    return rows
