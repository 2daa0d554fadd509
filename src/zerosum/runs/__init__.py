"""The run directory, known here and nowhere else: its log, what was measured of it and where, what is missing.

Names are loaded when first used: a page about fits knows `RunFacts` and needs no xarray. Loads no torch.
"""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from zerosum.runs._beside import documents_beside
    from zerosum.runs._branches import BRANCHES_FILE, branch_folders, read_branches
    from zerosum.runs._directory import RunDirectory, losses_of, open_losses
    from zerosum.runs._facts import RunFacts
    from zerosum.runs._mirror import Mirror
    from zerosum.runs._model_size import model_size
    from zerosum.runs._monitor_log import LoggedStep, LoggedWarning, MonitorLog, read_monitor_log
    from zerosum.runs._ngrams import NGRAMS, ngrams_of, noted, write_ngrams
    from zerosum.runs._progress import Progress, read_progress
    from zerosum.runs._read import CURVE, GRADIENTS, LOSSES, MeasuredRun, Wanted, read_run
    from zerosum.runs._tokenizer import token_text

_FILES = {
    "_beside": ["documents_beside"],
    "_branches": ["BRANCHES_FILE", "branch_folders", "read_branches"],
    "_directory": ["RunDirectory", "losses_of", "open_losses"],
    "_facts": ["RunFacts"],
    "_mirror": ["Mirror"],
    "_monitor_log": ["LoggedStep", "LoggedWarning", "MonitorLog", "read_monitor_log"],
    "_model_size": ["model_size"],
    "_ngrams": ["NGRAMS", "ngrams_of", "noted", "write_ngrams"],
    "_progress": ["Progress", "read_progress"],
    "_read": ["CURVE", "GRADIENTS", "LOSSES", "MeasuredRun", "Wanted", "read_run"],
    "_tokenizer": ["token_text"],
}
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs=_FILES)

__all__ = [
    "BRANCHES_FILE",
    "CURVE",
    "GRADIENTS",
    "LOSSES",
    "NGRAMS",
    "LoggedStep",
    "LoggedWarning",
    "MeasuredRun",
    "Mirror",
    "MonitorLog",
    "Progress",
    "RunDirectory",
    "RunFacts",
    "Wanted",
    "branch_folders",
    "documents_beside",
    "losses_of",
    "model_size",
    "ngrams_of",
    "noted",
    "open_losses",
    "read_branches",
    "read_monitor_log",
    "read_progress",
    "read_run",
    "token_text",
    "write_ngrams",
]
