"""Families of runs with known laws: sizes, checkpoints, and noise that neighbours in a run share."""

import numpy as np

from zerosum.scaling.table import LossTable

TRUTH = {"A": 406.4, "B": 410.7, "E": 1.69, "alpha": 0.34, "beta": 0.28}


def chinchilla(N, D, A=406.4, B=410.7, E=1.69, alpha=0.34, beta=0.28):
    return E + A / N**alpha + B / D**beta


def table(N, D, loss, run=None, step=None):
    n = len(N)
    none = np.full(n, np.nan)
    names = tuple(f"r{k}" for k in (np.arange(n) if run is None else run))
    return LossTable(
        names,
        N,
        D,
        loss,
        none,
        none,
        none if step is None else step,
        none,
        none,
        np.ones(n, dtype=int),
        source="simulated",
    )


NOISE = (0.003, 0.003, 0.002)


def family(rng, sizes=12, checkpoints=6, low=1e7, high=3e9, noise=NOISE, phi=0.9, law=chinchilla, **truth):
    """Runs of different sizes, each with log-spaced checkpoints to 20 tokens per parameter and beyond.

    noise: standard deviations of log loss: shared by a run, of an AR(1) part with `phi`, and of each checkpoint.
    """
    N = np.repeat(np.geomspace(low, high, sizes), checkpoints)
    most = np.repeat(np.exp(rng.uniform(np.log(10), np.log(100), sizes)), checkpoints) * N
    share = np.tile(np.geomspace(0.03, 1, checkpoints), sizes)
    run = np.repeat(np.arange(sizes), checkpoints)
    of_run, drift, white = noise
    e = np.repeat(of_run * rng.standard_normal(sizes), checkpoints) + white * rng.standard_normal(len(N))
    e += drift * ar1(rng, sizes, checkpoints, phi).ravel()
    return table(N, most * share, law(N, most * share, **truth) * np.exp(e), run)


def ar1(rng, runs, length, phi):
    x = np.empty((runs, length))
    x[:, 0] = rng.standard_normal(runs)
    for k in range(1, length):
        x[:, k] = phi * x[:, k - 1] + np.sqrt(1 - phi**2) * rng.standard_normal(runs)
    return x


def one_ratio(rng, noise=0.004):
    """Every size at 20 tokens per parameter: which exponent is of N and which of D cannot be seen."""
    N = np.geomspace(1e7, 3e9, 12)
    return table(N, 20 * N, chinchilla(N, 20 * N) * np.exp(noise * rng.standard_normal(12)))


LITTLE = (0.001, 0.001, 0.001)
FAMILIES = {
    "12 sizes": family,
    "12 sizes, little noise": lambda rng: family(rng, noise=LITTLE),
    "4 sizes": lambda rng: family(rng, sizes=4),
    "sizes within a factor of 2": lambda rng: family(rng, low=1e8, high=2e8),
    "one D / N": one_ratio,
    "no floor": lambda rng: family(rng, A=8.0, B=8.0, E=1e-9, alpha=0.08, beta=0.1),
}
HELD_OUT = {"inside": (1e9, 3e10), "3 times larger": (1e10, 2e11)}


def measure(name, seed, verdict=True, **options):
    """(verdict, codes of its reasons, whether each parameter's and each held-out loss's interval covers).

    verdict: False leaves out verdict and codes, which takes less than half the time.
    """
    from zerosum.scaling.fitting import fit, fitted_law, params_of
    from zerosum.scaling.laws import law

    rng = np.random.default_rng([seed, 11])
    losses = FAMILIES[name](rng)
    fitted = fit(losses, **options) if verdict else fitted_law(losses, law("chinchilla"), **options)
    params = fitted.params if verdict else params_of(fitted)
    covers = {key: low <= TRUTH[key] <= high for key in TRUTH for low, high in [params[key].interval]}
    sd = np.linalg.norm(LITTLE if "little" in name else NOISE)  # of a run of its own
    for where, (N, D) in HELD_OUT.items():
        loss = chinchilla(N, D) * np.exp(sd * rng.standard_normal())
        low, high = fitted.predict(N, D).loss.interval
        covers[where] = low <= loss <= high
    return (fitted.verdict, [reason.code for reason in fitted.reasons], covers) if verdict else (None, [], covers)
