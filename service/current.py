"""What is read anew while the service runs: the old stays until the new is whole."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from features import RedressError

T = TypeVar("T")
Mark = tuple[tuple[str, int, int], ...]


def mark(*paths: Path) -> Mark:
    """What shows that files changed: the name, the time and the size of each that is there, in folders of all."""
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    return tuple((str(file), stat.st_mtime_ns, stat.st_size) for file in files if (stat := file.stat()))


class Current(Generic[T]):
    """The latest that could be read; `failed` says why the last reading could not, and is empty where it could.

    >>> said = iter(["1", "x", "3"])
    >>> current = Current(lambda: int(next(said)), lambda: ())
    >>> [(current.value, current.failed) for _ in range(2) if current.renew() is not None]
    [(1, 'ValueError'), (3, '')]
    """

    def __init__(self, read: Callable[[], T], marked: Callable[[], Mark]) -> None:
        self._read, self._marked, self._lock = read, marked, Lock()
        self._mark = marked()
        self.value, self.failed = read(), ""

    def changed(self) -> bool:
        """Whether what it is read from is other than it was when it was last read."""
        try:
            return self._marked() != self._mark
        except OSError:  # a file that went as it was looked at
            return True

    def renew(self) -> str:
        """Reads it anew, and says why that failed, or nothing; what was there goes on until the new is whole."""
        with self._lock:
            try:
                self._mark = self._marked()
                self.value = self._read()
                self.failed = ""
            except RedressError as error:
                self.failed = str(error)
            except Exception as error:
                self.failed = type(error).__name__
            return self.failed
