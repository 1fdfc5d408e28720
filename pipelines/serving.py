"""The job of serving: a server process in place of this one, told by its environment what to serve, and tokens for it."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NoReturn

from features import RedressError
from pipelines.opening import Said

NEVER: Final = "never"
LASTING: Final = 30
"""Seconds that requests under way are waited for at the end."""


@dataclass(frozen=True)
class Served:
    """What is served and where: a store, models, a policy, and the file of tokens, or none on this machine alone.

    `key` is the file of the key that ids of persons are hashed by, where they are.
    """

    store: str
    models: str
    policy: str
    host: str
    port: int
    tokens: Path | None
    key: Path | None = None


def words(told: Served) -> list[str]:
    """The command that serves: one worker, which logs for itself.

    >>> words(Served("s", "m", "default", "127.0.0.1", 8000, None))[1:4]
    ['-m', 'uvicorn', 'serve:app']
    """
    where = ["--host", told.host, "--port", str(told.port), "--timeout-graceful-shutdown", str(LASTING)]
    quiet = ["--no-access-log", "--log-level", "warning", "--no-server-header"]
    return [sys.executable, "-m", "uvicorn", "serve:app", "--factory", *where, *quiet]


def environment(told: Served, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of that command.

    >>> sorted(environment(Served("s", "m", "default", "127.0.0.1", 8000, None), {"REDRESS_TOKENS": "t"}).items())
    [('REDRESS_MODELS', 'm'), ('REDRESS_OPEN', '1'), ('REDRESS_POLICY', 'default'), ('REDRESS_STORE', 's')]
    """
    kept = {name: text for name, text in environ.items() if name not in ("REDRESS_TOKENS", "REDRESS_OPEN")}
    opens = {"REDRESS_OPEN": "1"} if told.tokens is None else {"REDRESS_TOKENS": str(told.tokens)}
    keyed = {} if told.key is None else {"REDRESS_KEY": str(told.key)}
    named = {"REDRESS_STORE": told.store, "REDRESS_MODELS": told.models, "REDRESS_POLICY": told.policy}
    return kept | named | opens | keyed


def serve(told: Served, *, said: Said) -> NoReturn:
    """Becomes the server; RedressError where it would be open to others than this machine."""
    if told.tokens is None and not _own(told.host):
        raise RedressError(
            f"--open: want --host 127.0.0.1, got {told.host}; give it tokens, or serve this machine alone"
        )
    said(f"serving on http://{told.host}:{told.port}; its documents are at /docs")
    sys.stdout.flush()
    os.execve(sys.executable, words(told), environment(told, os.environ))


def _own(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def token(file: Path, name: str, scopes: Sequence[str], expires: str = NEVER) -> dict[str, object]:
    """Adds a token to a file, which keeps its hash, and gives it, this once; RedressError for a name that is taken."""
    told = [file, name, *(word for scope in scopes for word in ("--scope", scope)), "--expires", expires]
    ended = subprocess.run(
        [sys.executable, "-m", "service.tokens", *map(str, told)], capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise RedressError(ended.stderr.strip().removeprefix("redress: "))
    return {"token": ended.stdout.strip(), "name": name, "scopes": ", ".join(scopes), "expires": expires}
