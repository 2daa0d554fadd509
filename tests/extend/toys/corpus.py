"""Rows that count upwards, from two domains: toy."""

import numpy as np

from zerosum.tokens import TokenSequences
from zerosum.training.corpus import Batch, Corpus, CorpusSettings


class CountingCorpus(Corpus):
    vocabulary = 50
    end_of_document = None
    domains = ("even", "odd")

    @property
    def facts(self):
        return {"rows": "count upwards"}

    def batch(self, seed, step, sequences, length):
        first = np.random.default_rng((seed, step)).integers(0, 50, (sequences, 1))
        return Batch((first + np.arange(length + 1)) % 50, first[:, 0] % 2)

    def held_out(self, sequences, length):
        rows = (np.arange(sequences)[:, None] + np.arange(length + 1)) % 50
        return TokenSequences(rows, np.arange(sequences), tuple(map(str, range(sequences))))

    def save_tokenizer(self, folder):
        pass


class CountingSettings(CorpusSettings):
    kind: str = "counting"

    def open(self):
        return CountingCorpus()


CORPUS = CountingSettings
