"""Where the service's store and scorer come from: the store is opened once, models and policy whenever they change."""

from collections.abc import Callable
from pathlib import Path

from features import RedressError
from features.pseudonyms import Key, judged
from features.store import Store
from models.policy import opened as policy_at
from service.overstore import OverStore
from service.scorer import read
from service.service import Deciding, Storing


def opened(
    where: str, models: str, policy: str, writer: str, key: str | None = None
) -> tuple[Storing, Callable[[], Deciding]]:
    """The store at a place, and how a scorer over it is opened that keeps its decisions in the chain of a `writer`.

    `key` is the file of the key that ids of persons are hashed by; RedressError unless it is that of the store.
    """
    store = Store.open(where, key=None if key is None else Key.read(key))
    try:
        judged(store.key, store.meta.key, where)
    except RedressError:
        store.close()
        raise

    def scorer() -> Deciding:
        return OverStore(store, read(models), policy_at(policy), writer).ready()

    return store, scorer


def files(models: str, policy: str) -> tuple[Path, ...]:
    """The files whose change means that models or policy are to be read anew; one shipped by name changes with redress."""
    return Path(models), Path(policy)
