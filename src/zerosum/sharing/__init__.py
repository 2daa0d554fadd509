"""Share long work among processes, and continue it after a kill: the only mechanism for losses, gradients and dissent.

A *job* is a folder on a disk that all processes see. It is cut into *pieces* with names. A process claims a piece
(a claim file), measures it, writes the result, and releases the claim; `work_through` does this until every piece is
finished. What is on disk decides what is left to do, so starting the same command again continues the job.

What is promised:

- One machine. A claim belongs to one process. When that process ends in any way, the others see it at once and take
  its piece over. A process that is stopped (Ctrl-Z) for two minutes loses its pieces too, but never a lock.
- After a kill, at any moment. Results are files that appear whole or not at all, so a piece is either finished or
  measured again. Lost is at most the piece in work; for gradients, which add up batches in memory, the batches since
  the last save, and saving takes at most 1/20 of the time.
- Several machines on a shared disk (NFS version 3 or later, Lustre, GPFS). A claim is created by a hard link or, where
  the disk has none, by an exclusive create: both are atomic there, and the answer "exists" is checked, because NFS
  can repeat a request. Another machine's process cannot be asked whether it lives: its claim counts as abandoned when
  it was not renewed for two minutes. Renewals come every 15 s, and NFS may show them up to 60 s late, so the clocks of
  machines and server must agree to within 45 s. Machines (and containers) must have different host names.
- Two processes with one claim (wrong clocks, or a process that was stopped and wakes up) both measure the piece. Each
  writes a whole file; the result is the same to rounding, and time is lost, not data.
- torchrun. Every process runs the same command. Process RANK of WORLD_SIZE begins at its share of the pieces, so that
  processes load different checkpoints; then all of them help wherever something is left, and all return when every
  piece is finished.
"""

from zerosum.sharing._claims import Busy, Claim, is_stale, locked, take
from zerosum.sharing._job import Job
from zerosum.sharing._place import own_place, places_beside
from zerosum.sharing._records import Records, ResultCache, read_result
from zerosum.sharing._work import Results, free_first, work_through

__all__ = [
    "Busy",
    "Claim",
    "Job",
    "Records",
    "ResultCache",
    "Results",
    "free_first",
    "is_stale",
    "locked",
    "own_place",
    "places_beside",
    "read_result",
    "take",
    "work_through",
]
