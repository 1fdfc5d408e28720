"""Where stores are made: in directories, and on a server of this run where PostgreSQL is installed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.postgres import made, programs
from features import Ledger
from features.store import Store

Place = Callable[[str], str]
"""Where a new store goes; of a directory its name matters, a server gives each a database."""


@contextmanager
def places(folder: Path) -> Iterator[dict[str, Place]]:
    """The kinds of stores that this machine has, by name."""
    directories: dict[str, Place] = {"LMDB": lambda name: str(folder / name)}
    if programs() is None:
        yield directories
        return
    with TemporaryDirectory(prefix="redress-") as home:
        server = made(Path(home))
        try:
            yield directories | {"PostgreSQL": lambda name: server.empty()}
        finally:
            server.stop("immediate")


def filled(where: str, ledger: Ledger) -> Store:
    """A new store of a ledger's facts."""
    store = Store.create(where, name=ledger.fingerprint())
    store.fill(ledger)
    return store
