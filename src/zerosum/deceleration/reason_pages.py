"""What each reason of a verdict means and what to do about it: `zerosum explain`, and docs/reasons.md.

Thresholds are those of the checks themselves. To add a reason: its code in `_record.ReasonCode`, and its page here.
"""

from dataclasses import asdict, dataclass
from math import exp
from typing import Any

from zerosum.curves.gaps import FACTOR as GAP_FACTOR
from zerosum.deceleration import (
    curve_checks,
    jackknife,
    late_drop,
    local_slopes,
    models,
    observed,
    paper,
    rate_changes,
    robust,
    varpro,
)
from zerosum.deceleration import verdict as v
from zerosum.deceleration._record import Level, ReasonCode


@dataclass(frozen=True)
class Page:
    """One reason. means: in plain words. measured: how, with every threshold. remedy: what to do about it.

    blocking, note: a message of each level that the reason can have, as a fit says it; else empty.
    """

    code: ReasonCode
    means: str
    measured: str
    remedy: str
    blocking: str = ""
    note: str = ""

    @property
    def examples(self) -> dict[Level, str]:
        """Level -> a message, for the levels that this reason can have."""
        both: dict[Level, str] = {"blocking": self.blocking, "note": self.note}
        return {level: message for level, message in both.items() if message}

    def to_json(self) -> dict[str, Any]:
        """As a JSON document."""
        texts = {name: text for name, text in asdict(self).items() if name not in ("blocking", "note")}
        return texts | {"levels": list(self.examples), "examples": dict(self.examples)}

    def markdown(self) -> str:
        """One section, headed by the code."""
        parts = [
            f"## {self.code}",
            f"*{' or '.join(self.examples)}*: {self.means}",
            f"**How it is measured.** {self.measured}",
            f"**What to do.** {self.remedy}",
        ]
        return "\n\n".join([*parts, *(f"> {level}: {message}" for level, message in self.examples.items())]) + "\n"


def document() -> str:
    """The whole page docs/reasons.md."""
    head = (
        "# Reasons of a verdict\n\n"
        "`zerosum fit` says with every verdict what it rests on. A *blocking* reason: the numbers must not be used, "
        "and the verdict is `cannot-tell`. A *note*: they may be used with this in mind. `zerosum explain CODE` prints "
        "one of these sections.\n\n"
    )
    rows = [f"| [{page.code}](#{page.code}) | {' or '.join(page.examples)} | {page.means} |" for page in PAGES]
    table = "\n".join(["| reason | level | what it means |", "|---|---|---|", *rows])
    return head + table + "\n\n" + "\n".join(page.markdown() for page in PAGES)


_GAIN = "`power_law_error` is"
_PREDICTED = (
    f"The fitted points are cut into {jackknife.BLOCKS} stretches. Each is left out in turn and predicted from the "
    "others, once by the one-break law and once by a plain power law; `power_law_error` is the power law's sum of "
    "squared errors of log loss over that of the one-break law."
)
_FROM_LR = (
    f"With a learning-rate column: the rate falls below {100 * rate_changes.FULL:g} % of its peak for at least "
    f"{rate_changes.LASTS} rows."
)
_FROM_LOSS = (
    f"Without one, from the losses after step T/{1 / late_drop.EARLIEST:g}: the log-log slope becomes "
    f"{late_drop.STEEPER:g} times as steep, or the loss falls to a lower line, by {100 * late_drop.DROP:g} % or more "
    f"and {late_drop.SURE:g} standard errors; then the reason says `likely`."
)

PAGES: tuple[Page, ...] = (
    Page(
        "too-few-points",
        "Too little of the log is left to fit the five parameters of the law and to say how sure they are.",
        f"Above the cut-off lie fewer than {v.FEWEST_POINTS} rows of the log, or fewer than {v.FEWEST_BINS} points of "
        "the fit (log bins, 40 for each factor of ten in steps), or with a stretch left out the fit has too few.",
        f"Log more often, train longer, or lower `--cutoff` (without it {100 * robust.SHARE_DROPPED:g} % of the run is "
        f"dropped, at most {robust.MOST_DROPPED:g} steps). If the log was thinned out, look for the full one.",
        blocking="50 rows in 35 points are left after step 0; 60 rows in 25 points are needed. Log more often, train "
        "longer, or lower the cut-off",
    ),
    Page(
        "starts-too-late",
        "The log has lost what lies before the break. A bend that is found later is not the break.",
        f"The first step of the log is above {v.LATEST_START:g}. Or the fit puts the break as early as it may, at the "
        f"third point of the log, where no cut-off stands in the way.",
        "Find the first part of the log. If it was never written, repeat the first hundreds of steps and log each.",
        blocking="the log starts at step 2001; what lies before the break is lost. A log from step 300 or earlier is "
        "needed",
    ),
    Page(
        "range-too-short",
        "A straight piece of a curve was seen, too short to rule out that the curve bends outside of it.",
        f"{_PREDICTED} It is {v.NO_GAIN:g} or less, but the last fitted step is less than {v.LEAST_SPAN:g} times the "
        "first.",
        "Train longer, or lower `--cutoff`.",
        blocking="left-out stretches are predicted with 0.54 times the one-break law's error by a plain power law, but "
        "the fitted steps span a factor of 8.3; 20 is needed to rule a break out. Train longer",
    ),
    Page(
        "break-not-shown",
        "The curve is neither clearly broken nor clearly straight.",
        f"{_PREDICTED} It lies between {v.NO_GAIN:g} and {v.NEEDED_GAIN:g}.",
        "Train longer, log more often, or average over more tokens in each logged loss. On published curves of "
        "language models the number is 8 to 19.",
        blocking="left-out stretches are predicted with 1.14 times the one-break law's error by a plain power law; 2 "
        "or more would show a break, 1.1 or less none. Train longer or log more often",
    ),
    Page(
        "power-law-suffices",
        "One straight line in log loss over log step describes the curve: the verdict is `no-break`.",
        f"{_PREDICTED} It is {v.NO_GAIN:g} or less, the fitted steps span a factor of {v.LEAST_SPAN:g} or more, and no "
        "lower cut-off shows a break either.",
        "Nothing. If a break was expected, see whether the run went on past it, and whether the log begins before it.",
        note="left-out stretches are predicted with 1.00 times the one-break law's error by a plain power law: as well "
        "as by one with a break; steps up to 50 were not looked at",
    ),
    Page(
        "break-at-edge",
        "The break lies so near an end of the fitted range that the rate on one side of it is not measured.",
        f"t_d is below {v.ROOM_BEFORE:g} times the first fitted step, or above the last one divided by "
        f"{v.ROOM_AFTER:g}.",
        "At the beginning: lower `--cutoff`, or find an earlier part of the log. At the end: train longer.",
        blocking="the break at step 175 is later than the last step 400 divided by 3: the rate after it is not "
        "measured. Train longer",
    ),
    Page(
        "break-below-cutoff",
        "The fitted range is one straight line, but only because the cut-off leaves the break out.",
        f"Where the curve above the cut-off has no break, it is fitted again with half, a quarter and a tenth of the "
        f"cut-off and with none. One of them shows a deceleration: {_GAIN} {v.NEEDED_GAIN:g} or more, at "
        f"{v.ROOM_BEFORE:g} times the first fitted step or later.",
        "Fit with the `--cutoff` that the message gives. If the break is the end of a warm-up or of the first "
        "transient of token frequencies, the curve has no other.",
        blocking="left-out stretches are predicted with 0.91 times the one-break law's error by a plain power law "
        "after step 100, but with the cut-off at 25 there is a break at step 60: the cut-off hides it. Fit with "
        "--cutoff 25",
    ),
    Page(
        "break-not-located",
        "There is a break, but the curve does not say where: other stretches of it would put it elsewhere.",
        "t_d has no interval, or one whose ends lie further apart, as a factor, than the fitted range.",
        "Say that the curve decelerates, and give t_d and L_d with their intervals or not at all. More runs of the "
        "same kind say more than this one does.",
        note="there is a break, but where it lies is not known: t_d has no interval",
    ),
    Page(
        "turns-back",
        "The curve bends more than once, or falls fast into a floor: one break says nothing of it.",
        "Asked where the fit says that the loss falls faster after t_d. The fitted range is cut into "
        f"{local_slopes.STRETCHES} stretches of equal length in log step, and the log-log rate of each is measured. "
        f"From one to a later one it drops, by more than {v.TURNS:g} times the change at the break and "
        f"{local_slopes.SURE:g} standard errors, widened where residuals depend on their neighbours.",
        "Look at the curve. See which other law describes it (`models` in `--json`), or use "
        "`zerosum.deceleration.fit_breaks`.",
        blocking="the fit says that the loss falls faster after the break, by a rate of 0.3, but from one stretch of "
        "the curve to a later one the rate drops by 0.42: it bends more than once, or flattens",
    ),
    Page(
        "width-at-bound",
        "The bend is as wide or as sharp as the fit allows.",
        f"The width f is {exp(varpro.LOG_F_MAX):.3g} log steps, a bend over more than two factors of ten in steps "
        f"(blocking), or {exp(varpro.LOG_F_MIN):.3g}, half a log bin (blocking where no learning rate was logged: "
        "the end of a warm-up looks like this; else a note).",
        "Too wide: the curve bends everywhere, as one with a floor does; compare other laws (`models` in `--json`). "
        "Too sharp: look for something that happened at that step: the rate, the batch size, the data.",
        blocking="the bend spreads over more than the fit allows (width 3): this is a curve, not a break",
        note="the bend is sharper than the points can show (width 0.03): a kink, as a change of the learning rate "
        "makes it",
    ),
    Page(
        "unstable-cutoff",
        "What lies before the break is not a straight line, so that t_d depends on where the fit begins.",
        f"The fit is repeated with larger cut-offs, up to t_d/{v.ROOM_BEFORE:g}. One of them moves t_d by more than a "
        f"factor of {v.T_D_MOVES:g} (note), or one up to twice the cut-off by more than {v.T_D_LOST:g} (blocking).",
        "Read the table of cut-offs: take a `--cutoff` from where on t_d stays, and give it with the result. Compare "
        "runs at the same cut-off.",
        blocking="t_d moves from 287 to 2226 when the cut-off goes from 50 to 100: what comes before the break is not "
        "a straight line",
        note="t_d moves from 806 to 2903 when the cut-off goes from 100 to 400: what comes before the break is not a "
        "straight line",
    ),
    Page(
        "warm-up",
        "The learning rate was still rising. If it rose up to the break, the rate before the break is the warm-up's.",
        f"The learning-rate column begins below {100 * rate_changes.LOW:g} % of its peak; the warm-up ends where it "
        f"stops rising. Blocking where that is after {curve_checks.REACHES:g} t_d. Without a `--cutoff` the fit begins "
        "after the warm-up.",
        "Where it blocks, only a run with a shorter warm-up can tell. If you gave a `--cutoff` inside of the warm-up, "
        "leave it out.",
        blocking="the learning rate warms up until step 400 and reaches the break at step 172: the rate before the "
        "break is that of the warm-up. Only a run with a shorter warm-up can tell",
        note="the learning rate warms up until step 10, before the fit begins (step 21)",
    ),
    Page(
        "cooldown",
        "The learning rate decays. A law fitted across it describes the schedule: the loss falls faster meanwhile.",
        f"{_FROM_LR} If it was not held above that for {100 * rate_changes.HELD:g} % of the run, the schedule decays "
        f"all through, as cosine does, and the whole curve is fitted. {_FROM_LOSS} Blocking where the fit runs "
        f"through it, says that the loss falls faster after t_d, and it begins before {curve_checks.ROOM:g} t_d.",
        "The fit stops where a cooldown begins; nothing is to be done. The rates of a schedule that decays all through "
        "hold for that schedule: compare runs that share it. If the log has a learning rate under another name, give "
        "`--lr`.",
        blocking="the learning rate decays all through the run from step 953 on, to 0.1 of its peak, which makes the "
        "loss fall faster by itself: the faster fall after step 3137 may be that of the learning rate. Only a run at a "
        "constant rate can tell",
        note="the learning rate decays from step 1512 on, to 0.1 of its peak: only the stable phase before it is "
        "fitted",
    ),
    Page(
        "step-down",
        "The learning rate falls from one row to the next, which bends the curve by itself.",
        f"{_FROM_LR} A step is a fall at once to below {100 * rate_changes.LOW:g} % of the peak that stays there. "
        f"Blocking where the fit runs through it and t_d lies within a factor of {curve_checks.NEAR:g} of it. Without "
        "a learning-rate column a step-down cannot be told from a cooldown and is called one.",
        "The fit stops before the step unless the whole curve is asked for (procedure `paper`). Where it blocks, fit "
        "the stable phase, or use a run without the step.",
        blocking="the learning rate steps down at step 181, to 0.3 of its peak, and the fit puts the break there (step "
        "172): it may be that of the learning rate",
        note="the learning rate steps down at step 1501, to 0.3 of its peak: only the stable phase before it is fitted",
    ),
    Page(
        "rate-not-logged",
        "The verdict is that the loss falls faster after the break. A falling learning rate does this by itself.",
        "Always said of a faster fall where the log has no learning rate above 0.",
        "Log the learning rate, or name its column with `--lr`. If the schedule decays all through the run, as cosine "
        "does, believe nothing of this break.",
        note="the loss falls faster after the break, as a falling learning rate makes it, and no learning rate was "
        "logged. Log it, or name its column",
    ),
    Page(
        "not-a-cross-entropy",
        "Many losses were 0 or below. The reader drops these, and what is left lies too high.",
        f"More than {100 * curve_checks.MOST_NOT_POSITIVE:g} % of the losses were not positive.",
        "Choose the column of the cross-entropy in nats per token. A loss with something subtracted follows no power "
        "law; zeros may stand for steps that were not logged: drop those rows.",
        blocking="300 of 3000 losses were not positive and were dropped, which biases the rest: this is not a "
        "cross-entropy in nats. Choose another column",
    ),
    Page(
        "loss-rises",
        "The loss ends higher than it was a factor of ten in steps earlier, as far as a line through it tells.",
        f"The log-log rate over the last factor of ten in fitted steps lies more than {v.RISES:g} standard errors "
        "below 0.",
        "See whether the run diverges, whether training data changed, and whether this is a loss on training data.",
        note="the loss rises over the last factor of ten in steps (log-log rate -0.05): the run diverges, or this is "
        "not a training loss",
    ),
    Page(
        "gap",
        "Part of the log is missing, wide enough to hide a bend.",
        f"Two rows are more than {GAP_FACTOR:g} times as far apart as those around them, and the later step is more "
        f"than {observed.WIDE_GAP:g} times the earlier. Blocking where t_d lies between them.",
        "Find the missing part: logs of a resumed run are often two files. Nothing is filled in.",
        blocking="nothing was logged between step 129 and 241, where the fit puts the break (step 173): find the "
        "missing part of the log",
        note="nothing was logged between step 600 and 791",
    ),
    Page(
        "resumed",
        "The run was stopped and went on from an earlier checkpoint, so that some steps are in the log twice.",
        "The steps go back. Of steps written twice the later row is kept, or as `--on-resume` says.",
        "Look at the loss around that step. If it jumps, the resumed run went on with other data or a fresh optimizer, "
        "and its later part is another run.",
        note="resumed once (step 1000 to 801): 200 rows dropped, the last of each step kept",
    ),
    Page(
        "spikes",
        "The loss jumps up and comes back. Log bins hold a spike in few points, but those do count.",
        f"Rows lie more than {100 * observed.SPIKE:g} % (of log loss) and {observed.SPIKE_SCALES:g} robust standard "
        "deviations above the fitted law. Rows in succession are one spike.",
        "Nothing is removed. To see whether they matter, fit the log without these rows and compare.",
        note="the loss spikes 10 % or more above the law, 2 times (step 901, 1501)",
    ),
    Page(
        "another-model-preferred",
        "Another law predicts the curve better than one break does. It may still decelerate: all eight published "
        "curves do, and each is described better by a floor or by more breaks.",
        f"Each law is fitted with each of {jackknife.BLOCKS} stretches left out. The best has a root mean squared "
        f"error of log loss on what was left out {models.CLEARLY:g} times (note) or "
        f"{models.FAR:g} times (blocking) smaller than that of one break.",
        "Use t_d and L_d to describe where the curve bends, not as proof of a break, and do not extrapolate the law: "
        "read the forecasts and their back-test. With two breaks preferred see `zerosum.deceleration.fit_breaks`.",
        blocking="power law with floor (3 parameters) describes the curve better than one break: error on left-out "
        "stretches 4.6e-06 instead of 0.0039",
        note="power law with floor (3 parameters) describes the curve better than one break: error on left-out "
        "stretches 4.6e-06 instead of 0.0039",
    ),
    Page(
        "already-smoothed",
        "The log was smoothed and thinned before it was read. A trailing mean lags behind the loss.",
        "All steps lie on the published grid: every step below 100, every 10th below 1,000, every 100th below 10,000, "
        "every 1,000th after, and the last.",
        "Use the raw log if there is one: the published moving average alone makes t_d about 9 % later. Compare it "
        "with runs that were smoothed alike.",
        note="the log was already smoothed and thinned on the published grid; a trailing mean makes t_d about 9 % "
        "later",
    ),
    Page(
        "published-start-fails",
        "Procedure `paper` begins its search as published, and here that leads to a worse fit than the best one.",
        f"The published search, from a break at step {paper.START_STEP:,.0f}, ends with a root mean squared error more "
        f"than {paper.AS_GOOD:g} (relative) above that of the global optimum. The optimum is given.",
        "Nothing, unless the published number itself is wanted: then say that it is not the best fit.",
        note="the published starting point does not lead to the best fit here; the best fit is given",
    ),
    Page(
        "covariance-errors",
        "The standard errors of procedure `paper` take neighbouring points for independent. They are far too small.",
        "Always said with procedure `paper`. Residuals of loss curves have a lag-1 autocorrelation of 0.96 and more; "
        "covariance intervals of nominally 95 % hold the truth in 30 to 70 % of cases.",
        "Use `intervals`, which leave whole stretches of the curve out.",
        note="standard errors assume independent residuals; intervals do not",
    ),
)
