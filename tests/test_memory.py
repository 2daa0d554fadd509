import resource
import sys

import numpy as np
import pytest

from zerosum.memory import keep_freed_memory


@pytest.mark.skipif(sys.platform != "linux", reason="glibc")
def test_freed_memory_is_used_again_without_new_pages():
    keep_freed_memory()

    def new_pages():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            arrays = [np.ones(10 << 17) for _ in range(4)]  # 10 MB each
            del arrays
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    new_pages()
    assert new_pages() < 100  # an array has 2,560 pages
