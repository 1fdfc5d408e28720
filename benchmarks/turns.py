"""Ways of doing the same work, run by turns and checked equal: what else the machine does falls on all of them alike."""

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import NamedTuple, TypeVar

Found = TypeVar("Found")


class Pace(NamedTuple):
    """Median seconds of one way: on the wall, and of all cores together, which a busy machine changes less."""

    seconds: float
    core_seconds: float


def by_turns(
    ways: Mapping[str, Callable[[], Found]], runs: int, equal: Callable[[Found, Found], bool]
) -> dict[str, Pace]:
    """The pace of each way over `runs` turns; AssertionError unless all find what the first way finds.

    >>> sorted(by_turns({"sum": lambda: sum([1, 2]), "plus": lambda: 1 + 2}, 3, lambda a, b: a == b))
    ['plus', 'sum']
    """
    taken: dict[str, list[Pace]] = {name: [] for name in ways}
    for turn in range(runs):
        order = list(ways) if turn % 2 == 0 else list(ways)[::-1]
        found: dict[str, Found] = {}
        for name in order:
            wall, cores = time.perf_counter(), time.process_time()
            found[name] = ways[name]()
            taken[name].append(Pace(time.perf_counter() - wall, time.process_time() - cores))
        first = found[next(iter(ways))]
        if not all(equal(first, other) for other in found.values()):
            raise AssertionError(f"{', '.join(ways)}: found different values")
    return {name: Pace(*(median(p[i] for p in paces) for i in (0, 1))) for name, paces in taken.items()}
