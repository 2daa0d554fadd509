"""Gradients of sequences with noise of known size: coverage of the interval of the noise scale, and bias of |mu|^2."""

import numpy as np

from zerosum.gradients.noise import noise_scale
from zerosum.gradients.unit_sums import Sequences


def drawn(rng, *, n_units=64, unequal=False, decay=0.05, noise_scale=1_000.0, n_coordinates=300):
    """Sequences of 64 tokens (unequal: 8 to 120) whose noise falls off as exp(-decay j), tr(Sigma) = 1; and B."""
    spread = np.exp(-decay * np.arange(n_coordinates))
    spread = np.sqrt(spread / spread.sum())
    mu = rng.standard_normal(n_coordinates)
    mu *= noise_scale**-0.5 / np.linalg.norm(mu)
    n = rng.integers(8, 121, n_units) if unequal else np.full(n_units, 64)
    G = n[:, None] * mu + np.sqrt(n)[:, None] * spread * rng.standard_normal((n_units, n_coordinates))
    total = float(np.square(G.sum(0)).sum())
    units = np.arange(n_units)
    return Sequences(n, np.square(G).sum(1), G.astype(np.float32), total, units, "sequence"), noise_scale


def repeated(repeats, **case):
    """Share of intervals that hold B (open ones from their lower end on), share of open ones, and the error of the
    mean |mu|^2 in standard errors."""
    rng = np.random.default_rng(0)
    held, is_open, squares = [], [], []
    for _ in range(repeats):
        sequences, B = drawn(rng, **case)
        noise = noise_scale(sequences)
        low, high = noise.intervals.get("noise_scale", (noise.at_least, np.inf))
        held.append(low <= B <= high)
        is_open.append("noise_scale" not in noise.intervals)
        squares.append(noise.gradient_squared * B)
    error = (np.mean(squares) - 1) / (np.std(squares) / np.sqrt(repeats))
    return float(np.mean(held)), float(np.mean(is_open)), float(error)
