"""Families of sizes with known laws of L_d, t_d and r_d, whose fits err by misfit that neighbouring sizes share.

Curves are not made: the numbers of a fit err linearly in the residuals of its log bins, by the design of the law.
"""

import math
from dataclasses import replace

import numpy as np

from zerosum.deceleration.fit_errors import FitErrors, one_break_design
from zerosum.deceleration.intervals import OF_PARAMETERS
from zerosum.scaling.shared_errors import between, shared_errors
from zerosum.scaling.size_family import SizeFamily

N0 = 1.2e8
LAWS = {"L_d": (3.2, -0.08), "t_d": (5000.0, -0.06), "r_d": (0.025, 0.006)}  # value at N0, exponent
FLAT = {"L_d": (3.2, 0.0), "t_d": (5000.0, 0.0), "r_d": (0.025, 0.0)}
BINS = np.arange(math.log(100), math.log(1e5), 0.08)
SMOOTH, ROUGH, ALONE = (2.0, 2.0, 0.02), (1.0, 8.0, 0.05), (2.0, 1.0, 1.0)
SCENARIOS = {
    "smooth over sizes": {},
    "rough over sizes": {"kind": ROUGH},
    "not shared": {"kind": ALONE},
    "runs scatter": {"scatter": (0.02, 0.1, 0.003)},
    "8 sizes": {"sizes": 8},
    "no law": {"laws": FLAT},
}


def family(rng, sizes=6, laws=LAWS, misfit=0.012, kind=SMOOTH, scatter=(0.004, 0.03, 0.0005), noise=0.002):
    """Sizes from 14M to 1B and a larger run, twice the largest; V is estimated from their residuals.

    misfit: its standard deviation, of log loss. kind: of its correlation between sizes. scatter: standard deviations of
    single runs around the laws.
    """
    N = np.append(np.geomspace(1.4e7, 1e9, sizes), 2e9)
    log_N, k, n = np.log(N / N0), len(N), len(BINS)
    over_steps = np.exp(-((BINS[:, None] - BINS) ** 2) / 2 / 0.8**2) + 1e-9 * np.eye(n)
    over_sizes = between(log_N, kind) + 1e-9 * np.eye(k)
    drawn = np.linalg.cholesky(over_sizes) @ rng.standard_normal((k, n)) @ np.linalg.cholesky(over_steps).T
    off = misfit * drawn + noise * rng.standard_normal((k, n))
    true = np.stack([lines(laws, size) for size in N]) + rng.standard_normal((k, 3)) * scatter
    errors, numbers = [], true.copy()
    for i, (_, log_t_d, r_d) in enumerate(true):
        design = one_break_design(BINS, 0.2 + 0.01 * log_N[i], r_d, log_t_d, math.log(0.3))
        fit = FitErrors(BINS, np.zeros(n), design, np.ones(n), (noise**2 * np.eye(n),))
        moved = fit.estimator @ off[i]
        errors.append(replace(fit, residual=off[i] - design @ moved))
        numbers[i] += OF_PARAMETERS @ moved
    shared = shared_errors(errors, log_N, np.zeros(k))
    last = np.full(k, BINS[-1])
    reached = true[:, 0] - true[:, 2] * (last - true[:, 1]) + off[:, -1]
    return SizeFamily(N, numbers, shared.covariance, last, reached, np.full(3, np.nan), shared.correlation, np.eye(k))


def lines(laws, N):
    """log L_d, log t_d and r_d of a size."""
    x = math.log(N / N0)
    (L_d, a), (t_d, b), (r_d, c) = laws.values()
    return np.array([math.log(L_d) + a * x, math.log(t_d) + b * x, r_d + c * x])


def measure(seed, **scenario):
    """Whether each interval holds the truth, and how many exponents are called shown."""
    from zerosum.scaling.across_sizes import held_out, three_laws
    from zerosum.scaling.joint_laws import joint_laws

    whole = family(np.random.default_rng([seed, 13]), **scenario)
    some = whole.rows(np.arange(len(whole.N)) < len(whole.N) - 1)
    true = scenario.get("laws", LAWS)
    laws = three_laws(some, False, 0.95)
    covers = {f"b of {name}": not laws[name].exponent.excludes(b) for name, (_, b) in true.items()}
    for name, (_, law) in zip(true, laws.items(), strict=True):
        at = lines(true, law.N0)[list(true).index(name)]
        covers[f"a of {name}"] = not law.at_centre.excludes(math.exp(at) if law.in_log else at)
    first, last, log_T = some.N[0], some.N[-1], some.log_last[0]
    gain = joint_laws(some, laws, 0.95).gain(float(first), float(last), float(log_T))
    for name, (value, share) in true_gain(true, first, last, log_T).items():
        if name == "total":
            covers["gain"] = not gain.total.excludes(value)
        elif true != FLAT and gain.shares[name].interval is not None:  # a gain of 0 has no shares
            covers[f"share of {name}"] = not gain.shares[name].excludes(share)
    covers["loss of a larger run"] = held_out(whole, False, 0.95).held
    return covers, {name: law.verdict == "identified" for name, law in laws.items()}


def true_gain(laws, smaller, larger, log_T):
    """Name -> (nats, share) of the difference between two sizes."""
    a, b = lines(laws, smaller), lines(laws, larger)
    y_a, y_b = log_T - a[1], log_T - b[1]
    parts = [b[0] - a[0], (a[2] + b[2]) / 2 * (b[1] - a[1]), -(b[2] - a[2]) * (y_a + y_b) / 2]
    L_a, L_b = (math.exp(one[0] - one[2] * (log_T - one[1])) for one in (a, b))
    nats = (L_b - L_a) / math.log(L_b / L_a) if L_a != L_b else L_a
    total = sum(parts) or math.nan
    return {"total": (nats * sum(parts), 1.0)} | {
        name: (nats * part, part / total) for name, part in zip(laws, parts, strict=True)
    }
