"""Loss curves whose truth is known."""

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import BNSL


def simulated_curve(
    law: BNSL,
    last_step: int,
    *,
    noise: float = 0.0,
    misfit: float = 0.0,
    every: int = 1,
    seed: int = 0,
    rate: bool = False,
) -> LossCurve:
    """The law with white noise on log loss for each step, and a smooth random misfit in log step beside it.

    rate: whether a learning rate was logged, which is constant. Without one the bend of SHORT_RUN may be a warm-up.
    """
    rng = np.random.default_rng(seed)
    step = np.arange(every, last_step + 1, every, dtype=np.float64)
    knots = np.linspace(0, np.log(last_step), int(np.log(last_step) / 0.6) + 2)
    smooth = np.interp(np.log(step), knots, rng.normal(size=len(knots)) * misfit)
    loss = np.exp(law.log_loss(step) + smooth + rng.normal(size=len(step)) * noise)
    return LossCurve("simulated", step, loss, lr=np.full(len(step), 3e-4) if rate else None)


SHORT_RUN = BNSL.from_rates(log_L_d=np.log(2.6), r_before=0.3, r_d=0.17, log_t_d=np.log(175.0), log_f=np.log(0.3))
LONG_RUN = BNSL.from_rates(log_L_d=np.log(3.2), r_before=0.21, r_d=0.025, log_t_d=np.log(5_000.0), log_f=np.log(0.3))
POWER_LAW = BNSL(b=11.0, c0=0.2, c1=0.0, d1=300.0, f1=0.3)


def bent(rates, breaks, step, *, noise=0.002, width=0.1, seed=0) -> LossCurve:
    """Straight pieces in log loss over log step with white noise, and a constant learning rate."""
    x = np.log(step)
    y = np.log(10.0) - rates[0] * x
    for at, change in zip(breaks, np.diff(rates), strict=True):
        y = y - change * width * np.logaddexp(0, (x - np.log(at)) / width)
    y = y + noise * np.random.default_rng(seed).normal(size=len(x))
    return LossCurve("bent", step, np.exp(y), lr=np.full(len(x), 3e-4))


def warmed_up(end, *, rate=0.12, last_step=20_000, noise=0.003, rows=400, seed=0) -> LossCurve:
    """One power law of progress, which a linear warm-up slows down, from ln(54,000) on. No learning rate is logged."""
    step = np.unique(np.geomspace(1, last_step, rows).round())
    progress = np.where(step < end, step * step / (2 * end), step - end / 2)
    y = np.minimum(np.log(10.9), np.log(10.9) - rate * np.log(progress / 15.0))
    return LossCurve("warmed up", step, np.exp(y + noise * np.random.default_rng(seed).normal(size=len(step))))
