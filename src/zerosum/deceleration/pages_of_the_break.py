"""Pages of the reasons that come from the fit: its range, the break or the lack of one, and where it lies."""

from math import exp

from zerosum.deceleration import bends, break_test, left_out, local_slopes, robust, sides, varpro
from zerosum.deceleration import verdict as v
from zerosum.deceleration.reason_page import Page

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
        f"{_BREAK_EVIDENCE} {_POWER_LAW_ERROR} A change of that size is also shown "
        f"where it is {v.NEEDED_GAIN:g} or more. Neither is the case, and it is above {v.NO_GAIN:g}; "
        f"or it is lower, but the power law misses the curve by "
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
)
