"""Loss curves whose truth is known."""

import numpy as np

from zerosum.curves import LossCurve
from zerosum.deceleration import BNSL


def simulated_curve(
    law: BNSL, last_step: int, *, noise: float = 0.0, misfit: float = 0.0, every: int = 1, seed: int = 0
) -> LossCurve:
    """The law with white noise on log loss for each step, and a smooth random misfit in log step beside it."""
    rng = np.random.default_rng(seed)
    step = np.arange(every, last_step + 1, every, dtype=np.float64)
    knots = np.linspace(0, np.log(last_step), int(np.log(last_step) / 0.6) + 2)
    smooth = np.interp(np.log(step), knots, rng.normal(size=len(knots)) * misfit)
    return LossCurve("simulated", step, np.exp(law.log_loss(step) + smooth + rng.normal(size=len(step)) * noise))


SHORT_RUN = BNSL.from_rates(log_L_d=np.log(2.6), r_before=0.3, r_d=0.17, log_t_d=np.log(175.0), log_f=np.log(0.3))
LONG_RUN = BNSL.from_rates(log_L_d=np.log(3.2), r_before=0.21, r_d=0.025, log_t_d=np.log(5_000.0), log_f=np.log(0.3))
POWER_LAW = BNSL(b=11.0, c0=0.2, c1=0.0, d1=300.0, f1=0.3)
