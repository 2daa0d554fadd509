"""What was trained, and for newcomers the two ideas behind the page."""

import math
from collections.abc import Iterator

from markupsafe import Markup

from zerosum.runs import RunFacts
from zerosum.show.names import printable
from zerosum.show.report import Report
from zerosum.show.words import few, span

TITLE = "What was trained"
PLACE = 5
FORMULAS = {
    "Loss": "Cross-entropy in nats per token: how surprised the model is by the token that comes. All logarithms are "
    "natural.",
}


def absent(report: Report) -> str | None:
    return None if report.each(RunFacts) else ""


def sentences(report: Report) -> Iterator[str]:
    """Sizes, steps and text; in what the runs differ."""
    facts = [record for _, record in report.each(RunFacts)]
    sizes = len({record.n_params for record in facts})
    models = "one language model" if sizes == 1 else f"{few(sizes)} language models"
    seeds = len({run.seed for run in report.runs})
    repeated = f", from {few(seeds)} random seeds," if len(facts) > sizes else ""
    yield (
        f"{models[0].upper()}{models[1:]} of {span([record.n_params for record in facts], 0)} parameters "
        f"{'was' if sizes == 1 else 'were'} trained{repeated} for {span([record.steps for record in facts], 0)} "
        f"steps{'' if len(facts) == 1 else ' each'}, with {span([record.tokens_per_step for record in facts], 0)} "
        "tokens of text in every step."
    )
    text = report.provenance.get("text")
    if isinstance(text, str) and text.strip():
        yield f"Text: {printable(text, 400).rstrip('. ')}."
    yield from _recipes(report)


def _recipes(report: Report) -> Iterator[str]:
    """Layers and learning rates, as far as the recipes say."""
    of_size = {size: record.recipe for size, (_, record) in zip(report.sizes, report.each(RunFacts), strict=False)}
    layers = [_number(recipe, "model", "layers") for recipe in of_size.values()]
    if all(map(math.isfinite, layers)):
        plural = "" if set(layers) == {1} else "s"
        yield f"{'The model has' if len(layers) == 1 else 'Each model has'} {span(layers, 0)} layer{plural}."
    rates = {size: _number(recipe, "optimizer", "lr") for size, recipe in of_size.items()}
    if len(set(rates.values())) > 1 and all(map(math.isfinite, rates.values())):
        pairs = ", ".join(f"{rate:g} for {printable(size)}" for size, rate in rates.items())
        yield f"Learning rates differ too: {pairs}, so this is not a comparison of size alone."


def _number(recipe: object, *keys: str) -> float:
    """One number of a recipe; NaN where it does not say."""
    value = recipe
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else math.nan


IDEAS = Markup("""<div class="ideas">
<div>
<h3>Loss deceleration</h3>
<p>A language model’s loss falls along a straight line on logarithmic axes, until it abruptly bends onto a flatter
one. Three numbers describe it: the step <b>t_d</b> of the bend, the loss <b>L_d</b> there, and the rate <b>r_d</b>
at which the loss still falls after it. Lower L_d and larger r_d both mean a better model in the end.</p>
</div>
<div>
<h3>Zero-sum learning</h3>
<p>A step of training changes the loss of every token a little. When all fall together, all movement is progress.
When some rise while others fall, changes cancel: <b>D</b> is the share that does. While the mean loss falls, half of
it, <b>D/2</b>, is the share of all movement that makes tokens worse. <b>M</b> is how far the average token moves, and
progress is M (1 − D).</p>
</div>
</div>""")


def html(report: Report) -> Markup:
    """The two ideas, for newcomers."""
    return IDEAS
