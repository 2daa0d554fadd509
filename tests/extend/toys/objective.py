"""The mean over every second token of a sequence: toy."""

from zerosum.training.objective_settings import BatchLosses, ObjectiveSettings


class EverySecondSettings(ObjectiveSettings):
    weighs_tokens = True

    kind: str = "every_second"
    first: int = 0

    def weights(self, batch: BatchLosses):
        weights = batch.predicted.to(batch.losses.dtype)
        weights[:, 1 - self.first :: 2] = 0
        return weights / weights.sum()


OBJECTIVE = EverySecondSettings
