"""Explains every reason of a verdict: the text of `zerosum explain` and of docs/reasons.md.

Thresholds in the text are read from the checks themselves. To add a reason, add its code to `_record.ReasonCode` and
its page here.
"""

from dataclasses import asdict, dataclass
from math import exp
from typing import Any

from zerosum.curves.gaps import FACTOR as GAP_FACTOR
from zerosum.deceleration import (
    bends,
    break_test,
    curve_checks,
    late_drop,
    left_out,
    local_slopes,
    models,
    observed,
    paper,
    rate_changes,
    robust,
    sides,
    varpro,
    warm_ups,
)
from zerosum.deceleration import verdict as v
from zerosum.deceleration._record import Level, ReasonCode


@dataclass(frozen=True)
class Page:
    """The explanation of a reason.

    means: what the reason means, in plain words. measured: how it is measured, with every threshold. remedy: what to do
    about it. blocking, note: an example of the message at this level; empty where the reason never has this level.
    """

    code: ReasonCode
    means: str
    measured: str
    remedy: str
    blocking: str = ""
    note: str = ""

    @property
    def examples(self) -> dict[Level, str]:
        """Level -> example message, for the levels that this reason can have."""
        messages: dict[Level, str] = {"blocking": self.blocking, "note": self.note}
        return {level: message for level, message in messages.items() if message}

    def to_json(self) -> dict[str, Any]:
        """The page as a JSON object."""
        texts = {name: text for name, text in asdict(self).items() if name not in ("blocking", "note")}
        return texts | {"levels": list(self.examples), "examples": dict(self.examples)}

    def markdown(self) -> str:
        """The page as a Markdown section with the code as its heading."""
        paragraphs = [
            f"## {self.code}",
            f"*{' or '.join(self.examples)}*: {self.means}",
            f"**How it is measured.** {self.measured}",
            f"**What to do.** {self.remedy}",
        ]
        quotes = [f"> {level}: {message}" for level, message in self.examples.items()]
        return "\n\n".join([*paragraphs, *quotes]) + "\n"


def document() -> str:
    """The text of docs/reasons.md."""
    head = (
        "# Reasons of a verdict\n\n"
        "`zerosum fit` gives the reasons for every verdict. A *blocking* reason means that the numbers must not be "
        "used; the verdict is then `cannot-tell`. A *note* means that the numbers may be used with the note in mind. "
        "`zerosum explain CODE` prints one of these sections.\n\n"
    )
    rows = [f"| [{page.code}](#{page.code}) | {' or '.join(page.examples)} | {page.means} |" for page in PAGES]
    table = "\n".join(["| reason | level | what it means |", "|---|---|---|", *rows])
    return head + table + "\n\n" + "\n".join(page.markdown() for page in PAGES)


_POWER_LAW_ERROR = (
    f"The fitted points are divided into {left_out.BLOCKS} stretches. Each stretch is left out in turn and predicted "
    "from the others, once by the one-break law and once by a plain power law. `power_law_error` is the sum of squared "
    "errors of log loss of the power law, divided by that of the one-break law."
)
_BREAK_EVIDENCE = (
    "`break_evidence` is twice the log of a ratio of likelihoods: that of the one-break law over that of a power law, "
    f"each with noise and smooth misfit. A break is shown where it is {break_test.NEEDED:g} or more and the rate "
    f"changes by {100 * break_test.LEAST_CHANGE:g} % or more."
)
_FROM_LR = (
    f"With a learning-rate column: the learning rate is below {100 * rate_changes.FULL:g} % of its peak for at least "
    f"{rate_changes.LASTS} rows."
)
_FROM_LOSS = (
    f"Without such a column, from the losses after step T/{1 / late_drop.EARLIEST:g} (T: the last step): the log-log "
    f"slope becomes {late_drop.STEEPER:g} times as steep, or the loss drops to a lower line, by "
    f"{100 * late_drop.DROP:g} % or more and by {late_drop.SURE:g} standard errors; the message then says `likely`."
)

PAGES: tuple[Page, ...] = (
    Page(
        "too-few-points",
        "Too few points are left to fit the five parameters of the law and their uncertainties.",
        f"After the cut-off there are fewer than {v.FEWEST_POINTS} rows of the log, or fewer than {v.FEWEST_BINS} "
        "points of the fit (log bins, 40 for each factor of ten in steps), or too few points remain when a stretch is "
        "left out.",
        f"Log more often, train longer, or lower `--cutoff` (its default is {100 * robust.SHARE_DROPPED:g} % of the "
        f"run, at most {robust.MOST_DROPPED:g} steps). If the log was thinned out, use the full log.",
        blocking="50 rows in 35 points are left after step 0; 60 rows in 25 points are needed. Log more often, train "
        "longer, or lower the cut-off",
    ),
    Page(
        "starts-too-late",
        "The log does not contain the part before the break. A bend found later is not the break.",
        f"The first step of the log is above {v.LATEST_START:g}; or the fit puts the break as early as allowed, at the "
        "third point of the log, although no cut-off prevents an earlier break.",
        "Find the first part of the log. If it was never written, repeat the first few hundred steps and log each.",
        blocking="the log starts at step 2001; what lies before the break is lost. A log from step 300 or earlier is "
        "needed",
    ),
    Page(
        "range-too-short",
        "The fitted part of the curve is a straight line, but too short to rule out a break outside of it.",
        f"{_POWER_LAW_ERROR} It is {v.NO_GAIN:g} or less, but the last fitted step is less than {v.LEAST_SPAN:g} times "
        "the first fitted step.",
        "Train longer, or lower `--cutoff`.",
        blocking="left-out stretches are predicted with 0.54 times the one-break law's error by a plain power law, but "
        "the fitted steps span a factor of 8.3; 20 is needed to rule a break out. Train longer",
    ),
    Page(
        "break-not-shown",
        "The curve is neither clearly broken nor clearly straight.",
        f"{_BREAK_EVIDENCE} {_POWER_LAW_ERROR} A break is also shown where it is {v.NEEDED_GAIN:g} or more. Neither is "
        f"the case, and it is above {v.NO_GAIN:g}; or it is lower, but the power law misses the curve by "
        f"{100 * v.MISFIT:g} % or more beside the noise from point to point.",
        "If the power law misses the curve, look at it: it may bend more than once, or wander. Else train longer, log "
        "more often, or average over more tokens in each logged loss. For published curves of language models "
        "`break_evidence` is 45 to 113.",
        blocking="left-out stretches are predicted with 1.14 times the one-break law's error by a plain power law; the "
        "evidence for a break is 7.3 (10 is needed), with a rate that changes by 21 % (15 % is needed). Train longer "
        "or log more often",
    ),
    Page(
        "power-law-suffices",
        "One straight line in log loss over log step describes the curve: the verdict is `no-break`.",
        f"{_POWER_LAW_ERROR} It is {v.NO_GAIN:g} or less, the power law misses the curve by less than "
        f"{100 * v.MISFIT:g} % beside the noise from point to point, the fitted steps span a factor of "
        f"{v.LEAST_SPAN:g} or more, and fits with lower cut-offs show no break either.",
        "Nothing needs to be done. If you expected a break, check that the log begins before it and ends after it.",
        note="left-out stretches are predicted with 1.00 times the one-break law's error by a plain power law: as well "
        "as by one with a break; steps up to 50 were not looked at",
    ),
    Page(
        "bends-more-than-once",
        "The curve bends at two steps or more: neither a power law nor the one-break law describes it.",
        f"Checked where no break is shown although a power law misses the curve by {100 * v.MISFIT:g} % or more, where "
        "something else blocks the verdict, and where the loss falls fast again after it has slowed down, in the first "
        "third of the run. The law with two breaks, or with three, predicts stretches that were left out "
        f"of the fit with at most 1/{bends.BETTER:g} of the error of the better of power law and one-break law.",
        "Look at the curve around the steps that the message gives, and at what changed there: learning rate, batch "
        "size, data. Fit with `--breaks` and that number of breaks: each has its own t_d, L_d and rates.",
        blocking="the curve bends more than once: 2 breaks, at steps 560 and 1882 (log-log rates 0.075, 0.33, 0.079), "
        "predict left-out stretches 17 times better than one or none. Look there, with --breaks 2",
    ),
    Page(
        "break-at-edge",
        "The break is so close to an end of the fitted range that the rate on that side of it is not measured.",
        f"t_d is below {v.ROOM_BEFORE:g} times the first fitted step, or above the last fitted step divided by "
        f"{v.ROOM_AFTER:g}.",
        "If it is close to the beginning, lower `--cutoff` or find an earlier part of the log. If it is close to the "
        "end, train longer.",
        blocking="the break at step 175 is later than the last step 400 divided by 3: the rate after it is not "
        "measured. Train longer",
    ),
    Page(
        "side-not-measured",
        "Too few points, or too noisy ones, lie on one side of the break: the rate there is not measured.",
        f"Fewer than {sides.FEWEST} fitted points lie before t_d or after it; or without the first fitted point the "
        f"rate before t_d differs from r_d by less than {100 * sides.SHARE:.0f} % of the change at the break, or by "
        f"less than {local_slopes.SURE:g} standard errors.",
        "Log more often, at least during the first part of the run.",
        blocking="too few points before the break: 3 fitted points at step 640, and 6 are needed. Log more often, or "
        "from an earlier step",
    ),
    Page(
        "break-below-cutoff",
        "The fitted range is one straight line, but only because the cut-off excludes the break.",
        "If the curve after the cut-off has no break, it is fitted again with half, a quarter and a tenth of the "
        f"cut-off and without a cut-off. One of these fits shows a deceleration: `break_evidence` is "
        f"{break_test.NEEDED:g} or more, and t_d is {v.ROOM_BEFORE:g} times the first fitted step or later.",
        "Fit with the `--cutoff` that the message gives. If that break is only the end of a warm-up, or of the first "
        "steps in which the model learns token frequencies, the curve has no other break.",
        blocking="left-out stretches are predicted with 0.91 times the one-break law's error by a plain power law "
        "after step 100, but with the cut-off at 25 there is a break at step 60: the cut-off hides it. Fit with "
        "--cutoff 25",
    ),
    Page(
        "break-not-located",
        "There is a break, but its step is not known: noise and misfit could have moved it far.",
        "t_d has no interval, or the ratio of the ends of its interval is larger than that of the fitted range.",
        "Report that the curve decelerates, and report t_d and L_d with their intervals or not at all. More runs of "
        "the same kind would locate the break better.",
        note="there is a break, but where it lies is not known: t_d has no interval",
    ),
    Page(
        "turns-back",
        "The curve bends more than once, or falls fast to a floor: a law with one break does not describe it.",
        "Checked if the fit says that the loss falls faster after t_d. The fitted range is divided into "
        f"{local_slopes.STRETCHES} stretches of equal length in log step, and the log-log rate of each stretch is "
        f"measured. From one stretch to a later one the rate drops, by more than {v.TURNS:g} times the change at the "
        f"break and by more than {local_slopes.SURE:g} standard errors (widened if residuals are autocorrelated).",
        "Look at the curve. Check which other law describes it (`models` in `--json`), or use "
        "`zerosum.deceleration.fit_breaks`.",
        blocking="the fit says that the loss falls faster after the break, by a rate of 0.3, but from one stretch of "
        "the curve to a later one the rate drops by 0.42: it bends more than once, or flattens",
    ),
    Page(
        "width-at-bound",
        "The bend is as wide or as sharp as the fit allows.",
        f"The width f is at its upper bound of {exp(varpro.LOG_F_MAX):.3g} log steps, a bend over more than two "
        f"factors of ten in steps (blocking); or at its lower bound of {exp(varpro.LOG_F_MIN):.3g}, half a log bin "
        "(blocking if no learning rate was logged, because the end of a warm-up looks like this; else a note).",
        "Too wide: the curve bends everywhere, as a curve with a floor does; compare other laws (`models` in "
        "`--json`). Too sharp: check whether the learning rate, the batch size or the data changed at that step.",
        blocking="the bend spreads over more than the fit allows (width 3): this is a curve, not a break",
        note="the bend is sharper than the points can show (width 0.03): a kink, as a change of the learning rate "
        "makes it",
    ),
    Page(
        "unstable-cutoff",
        "The curve before the break is not a straight line, so t_d depends on where the fit begins.",
        f"The fit is repeated with larger cut-offs, up to t_d/{v.ROOM_BEFORE:g}. A larger cut-off changes t_d by more "
        f"than a factor of {v.T_D_MOVES:g} (note), or a cut-off of at most twice the original changes it by more than "
        f"a factor of {v.T_D_LOST:g} (blocking).",
        "See the table of cut-offs: use a `--cutoff` above which t_d no longer changes, and report it with the result. "
        "Compare runs at the same cut-off.",
        blocking="t_d moves from 287 to 2226 when the cut-off goes from 50 to 100: what comes before the break is not "
        "a straight line",
        note="t_d moves from 806 to 2903 when the cut-off goes from 100 to 400: what comes before the break is not a "
        "straight line",
    ),
    Page(
        "warm-up",
        "The learning rate was still rising. If it rose up to the break, the rate before the break is that of the "
        "warm-up.",
        f"The learning-rate column begins below {100 * rate_changes.LOW:g} % of its peak; the warm-up ends where it "
        f"stops rising. Blocking if that is after {curve_checks.REACHES:g} t_d, or if a power law of the sum of "
        "learning rates describes the curve as well as a break (see `rate-not-logged`). Without `--cutoff` the fit "
        "begins after the warm-up.",
        "If it blocks, only a run with a shorter warm-up can show the break. If you gave a `--cutoff` within the "
        "warm-up, leave it out.",
        blocking="the learning rate warms up until step 400 and reaches the break at step 172: the rate before the "
        "break is that of the warm-up. Only a run with a shorter warm-up can tell",
        note="the learning rate warms up until step 10, before the fit begins (step 21)",
    ),
    Page(
        "cooldown",
        "The learning rate decays. The loss then falls faster, so a law fitted across the decay describes the "
        "schedule.",
        f"{_FROM_LR} If it was not above that share for {100 * rate_changes.HELD:g} % of the run, the schedule decays "
        f"all through the run, as a cosine does, and the whole curve is fitted. {_FROM_LOSS} Blocking if the fit "
        "includes the decay and says that the loss falls faster after t_d, and the decay begins before "
        f"{curve_checks.ROOM:g} t_d.",
        "The fit stops where a cooldown begins, so nothing needs to be done. The rates of a schedule that decays all "
        "through the run hold for that schedule: compare runs with the same schedule. If the log has the learning rate "
        "under another name, give `--lr`.",
        blocking="the learning rate decays all through the run from step 953 on, to 0.1 of its peak, which makes the "
        "loss fall faster by itself: the faster fall after step 3137 may be that of the learning rate. Only a run at a "
        "constant rate can tell",
        note="the learning rate decays from step 1512 on, to 0.1 of its peak: only the stable phase before it is "
        "fitted",
    ),
    Page(
        "step-down",
        "The learning rate falls from one row to the next, which bends the curve by itself.",
        f"{_FROM_LR} A step-down is a fall from one row to the next, to below {100 * rate_changes.LOW:g} % of the "
        f"peak, after which the learning rate stays there. Blocking if the fit includes it and t_d is within a factor "
        f"of {curve_checks.NEAR:g} of it. Without a learning-rate column a step-down cannot be distinguished from a "
        "cooldown and is reported as `cooldown`.",
        "The fit stops before the step-down unless the whole curve is fitted (procedure `paper`). If it blocks, fit "
        "the stable phase, or use a run without a step-down.",
        blocking="the learning rate steps down at step 181, to 0.3 of its peak, and the fit puts the break there (step "
        "172): it may be that of the learning rate",
        note="the learning rate steps down at step 1501, to 0.3 of its peak: only the stable phase before it is fitted",
    ),
    Page(
        "rate-not-logged",
        "The log has no learning rate, and a warm-up or a decay of it can bend a curve as a break does.",
        "Given whenever there is a break and the log has no learning rate above 0. Blocking where the loss falls "
        "faster after the break, as a decay alone makes it; and where one power law of progress describes the curve as "
        f"well as a break (misfit at most {warm_ups.AS_GOOD:g} times as large). Progress is the sum of learning rates "
        "over their peak: t^2/2w during a linear warm-up of w steps, t - w/2 after it; the loss may be flat at first. "
        f"Warm-ups of up to {warm_ups.LONGEST:,.0f} steps, and {100 * warm_ups.MOST:g} % of the run, are tried.",
        "Log the learning rate, or name its column with `--lr`. A break that is much later than the warm-up of the run "
        "is not the warm-up. If the schedule decays all through the run, as a cosine does, do not use a break after "
        "which the loss falls faster.",
        blocking="no learning rate was logged, and a power law after a warm-up until step 701 describes the curve as "
        "well as a break does (misfit 0.19 and 1.4 %). Log the rate, or name its column",
        note="no learning rate was logged, and a warm-up or a decay can bend a curve too; a power law after a warm-up "
        "does not describe this curve as well as the break (misfit 6.2, not 1.3 %)",
    ),
    Page(
        "not-a-cross-entropy",
        "Many losses were 0 or below. They are dropped when the log is read, so the remaining losses are too high on "
        "average.",
        f"More than {100 * curve_checks.MOST_NOT_POSITIVE:g} % of the losses were not positive.",
        "Choose the column with the cross-entropy in nats per token. A loss from which something was subtracted "
        "follows no power law. If zeros stand for steps that were not logged, drop those rows.",
        blocking="300 of 3000 losses were not positive and were dropped, which biases the rest: this is not a "
        "cross-entropy in nats. Choose another column",
    ),
    Page(
        "loss-rises",
        "The loss rises over the last factor of ten in steps, judged by a straight line through that part.",
        f"The log-log rate over the last factor of ten in fitted steps is more than {curve_checks.RISES:g} standard "
        "errors below 0.",
        "Check whether the run diverges, whether the training data changed, and whether this is the training loss.",
        note="the loss rises over the last factor of ten in steps (log-log rate -0.05): the run diverges, or this is "
        "not a training loss",
    ),
    Page(
        "gap",
        "Part of the log is missing, and the gap is wide enough to hide a bend.",
        f"The distance between two successive rows is more than {GAP_FACTOR:g} times that of the rows around them, and "
        f"the later step is more than {observed.WIDE_GAP:g} times the earlier. Blocking if t_d is between them.",
        "Find the missing part: a resumed run often has two log files. Missing losses are not filled in.",
        blocking="nothing was logged between step 129 and 241, where the fit puts the break (step 173): find the "
        "missing part of the log",
        note="nothing was logged between step 600 and 791",
    ),
    Page(
        "resumed",
        "The run was stopped and resumed from an earlier checkpoint, so the log contains some steps twice.",
        "The step decreases from one row to the next. For steps with two rows the later row is used, unless "
        "`--on-resume` says otherwise.",
        "Look at the loss around that step. If it jumps, the run was resumed with other data or a new optimizer state, "
        "and its later part should be treated as another run.",
        note="resumed once (step 1000 to 801): 200 rows dropped, the last of each step kept",
    ),
    Page(
        "diverged",
        "The run diverged: its log ends in losses that are no numbers, or exactly 0. The fit is of the steps before.",
        "At least 3 rows at the end have no finite loss above 0, and more than 3 times as many as anywhere before.",
        "Fits and forecasts hold for a run that goes on as it did. Resume from a checkpoint before the divergence, at "
        "a smaller learning rate or without the batches that came there.",
        note="the run diverged: from step 1500 to the end, step 2048, the loss is not finite",
    ),
    Page(
        "spikes",
        "The loss jumps up and comes down again. Log bins limit a spike to a few points, but it affects those.",
        f"Rows are more than {100 * observed.SPIKE:g} % (in log loss) and more than {observed.SPIKE_SCALES:g} robust "
        "standard deviations above the fitted law. Successive rows count as one spike.",
        "Spikes are not removed. To see whether they matter, fit the log without these rows and compare.",
        note="the loss spikes 10 % or more above the law, 2 times (step 901, 1501)",
    ),
    Page(
        "another-model-preferred",
        "Another law predicts the curve better than the one-break law. The curve may still decelerate: all eight "
        "published curves do, although each is described better by a law with a floor or with more breaks.",
        f"Each law is fitted with each of {left_out.BLOCKS} stretches left out. On the stretches left out, the root "
        f"mean squared error of log loss of the best law is {models.CLEARLY:g} times (note) or {models.FAR:g} times "
        "(blocking) smaller than that of the one-break law.",
        "Use t_d and L_d to describe where the curve bends, not as proof of a break. Do not extrapolate the law: use "
        "the forecasts and their back-test. If two breaks are preferred, see `zerosum.deceleration.fit_breaks`.",
        blocking="power law with floor (3 parameters) describes the curve better than one break: error on left-out "
        "stretches 4.6e-06 instead of 0.0039",
        note="power law with floor (3 parameters) describes the curve better than one break: error on left-out "
        "stretches 4.6e-06 instead of 0.0039",
    ),
    Page(
        "already-smoothed",
        "The log was already smoothed and thinned. A trailing mean lags behind the loss.",
        "All steps are on the grid of the published curves: every step below 100, every 10th below 1,000, every 100th "
        "below 10,000, every 1,000th after that, and the last.",
        "Use the raw log if there is one: the published moving average alone makes t_d about 9 % later. Compare only "
        "with runs that were smoothed in the same way.",
        note="the log was already smoothed and thinned on the published grid; a trailing mean makes t_d about 9 % "
        "later",
    ),
    Page(
        "published-start-fails",
        "Procedure `paper` starts its search from the published starting point, which here does not lead to the best "
        "fit.",
        f"The published search, which starts from a break at step {paper.START_STEP:,.0f}, ends with a root mean "
        f"squared error that is larger than that of the global optimum by more than {paper.AS_GOOD:g} (relative). The "
        "result is the global optimum.",
        "Nothing needs to be done. If you report the number of the published search, say that it is not the best fit.",
        note="the published starting point does not lead to the best fit here; the best fit is given",
    ),
    Page(
        "covariance-errors",
        "The standard errors of procedure `paper` assume independent residuals. They are far too small.",
        "Given whenever procedure `paper` is used. Residuals of loss curves have a lag-1 autocorrelation of 0.96 and "
        "more; covariance intervals of nominally 95 % contain the true value in 30 to 70 % of cases.",
        "Use `intervals`, which come from a model of the residuals: noise, and smooth misfit.",
        note="standard errors assume independent residuals; intervals do not",
    ),
)
