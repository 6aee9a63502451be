"""Python's search for circles of dead objects, held back while a lot is built that stays. Runs at parse time."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Within, nothing is searched for circles: each search would go through all that was built before, in vain."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
