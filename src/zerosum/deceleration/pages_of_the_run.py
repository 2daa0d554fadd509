"""Pages of the reasons that come from the run, from other laws, and from the procedure."""

from zerosum.curves.gaps import FACTOR as GAP_FACTOR
from zerosum.deceleration import (
    curve_checks,
    late_drop,
    left_out,
    models,
    ngram_stage,
    observed,
    paper,
    rate_changes,
    warm_ups,
)
from zerosum.deceleration.reason_page import Page

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
        "(blocking) smaller than that of the one-break law. Of laws whose error is at most "
        f"{models.CLEARLY:g} times that of the best, the one with the fewest parameters is named.",
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
    Page(
        "n-gram-stage",
        "The break lies at the loss of an n-gram model of the training text. The loss may fall more slowly because the "
        "model has learned these n-grams and has to learn longer contexts next.",
        f"L_d is within {100 * ngram_stage.NEAR:g} % of the held-out loss of the model of n = 1, 2, 3 or 4 tokens that "
        "`ngrams.json` of the run has. Training with zerosum writes this file; other runs get no such note. Losses of "
        "these models lie close together, so L_d is often near one by chance: the note says how often. They are losses "
        "of held-out text: where the curve is the loss of training batches, it may lie some percent lower.",
        "See whether models of other sizes on the same text break at the same loss. If they do, the break belongs to "
        "the text and its n-grams. If they break at other losses, the nearness is a coincidence.",
        note="the break lies at the loss of the bigram model of this text: L_d is 2.58 nats per token, and the bigram "
        "model has 2.57 on held-out text; 38 % of the losses between these models are so near to one",
    ),
)
