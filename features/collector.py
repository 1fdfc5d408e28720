"""The collector of cycles, held back where much is made that lives until it is all let go."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_back() -> Iterator[None]:
    """No collection until the end of the `with`, of this process: what a batch of facts makes would be looked through in vain.

    Of several at a time, in threads, the last may go on with collections; the process ends as it began.

    >>> with held_back():
    ...     gc.isenabled()
    False
    >>> gc.isenabled()
    True
    """
    began = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if began:
            gc.enable()
