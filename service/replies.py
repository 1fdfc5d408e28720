"""Answers by Idempotency-Key: a request that is sent again gets the answer it got."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from re import fullmatch
from threading import Lock
from typing import Final

from features import RedressError
from features.requests import short
from service.problems import Reply, problem

LOOKS: Final = r"[\x21-\x7e]{1,255}"
"""What a key looks like: up to 255 visible ASCII characters."""


def checked(key: str | None) -> str | None:
    """A key as it came, or none; RedressError for one that cannot be one."""
    if key is not None and not fullmatch(LOOKS, key):
        raise RedressError(
            f"Idempotency-Key: want 1 to 255 visible ASCII characters, got {short(key)!r}; choose another"
        )
    return key


@dataclass
class _Kept:
    digest: bytes
    since: int
    reply: Reply | None = None


class Replies:
    """The answers of late by who asked and by which key, so many of them and for so long; times are microseconds.

    >>> replies, made = Replies(10, 1_000), []
    >>> def answer() -> Reply:
    ...     made.append(1)
    ...     return Reply(200, b"yes")
    >>> [replies.once(("shop", "k"), body, t, answer).status for body, t in ((b"a", 0), (b"a", 1), (b"b", 2), (b"b", 1_000))]
    [200, 200, 422, 200]
    >>> len(made)
    2
    """

    def __init__(self, most: int, lasting: int) -> None:
        self._most, self._lasting, self._lock = most, lasting, Lock()
        self._of: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def once(self, key: tuple[str, str], body: bytes, t: int, answer: Callable[[], Reply]) -> Reply:
        """What was answered to a key, or what is answered now; only what succeeds is kept."""
        said = sha256(body).digest()
        with self._lock:
            self._forget(t)
            kept = self._of.get(key)
            if kept is None:
                while len(self._of) >= self._most:
                    self._of.popitem(last=False)
                kept = self._of[key] = _Kept(said, t)
            elif kept.digest != said:
                return problem(
                    "reused", "Idempotency-Key: want the request it came with first, got another; take a new key"
                )
            elif kept.reply is None:
                wait = (("Retry-After", "1"),)
                return problem(
                    "unfinished", "Idempotency-Key: want its first request answered; come again", headers=wait
                )
            else:
                return kept.reply
        try:
            kept.reply = answer()
        finally:
            if kept.reply is None or kept.reply.status >= 300:
                with self._lock:
                    self._of.pop(key, None)
        return kept.reply

    def _forget(self, t: int) -> None:
        while self._of and t - next(iter(self._of.values())).since >= self._lasting:
            self._of.popitem(last=False)
