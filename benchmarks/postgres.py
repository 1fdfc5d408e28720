"""A PostgreSQL server of one run: made in a temporary directory, listening on 127.0.0.1, and ended with them."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from typing import Final

NOBODY: Final = ("postgres", "nobody")
"""Users to run the server as where the tests run as root, whom it refuses."""


@cache
def programs() -> Path | None:
    """The directory that holds initdb and pg_ctl, the newest of Debian's where they are not on the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return debian[-1].parent if debian else None


@dataclass(frozen=True)
class Server:
    """A server in a directory, at a port of this machine."""

    programs: Path
    home: Path
    port: int
    names: Iterator[int] = field(default_factory=count)

    def empty(self) -> str:
        """The address of a database of its own, with nothing in it."""
        name = f"test_{next(self.names)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "redress", name)
        return f"postgresql://redress:secret@127.0.0.1:{self.port}/{name}"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c shared_buffers=16MB"
        self._run("pg_ctl", "start", "--wait", "-s", "-D", "data", "-l", "log", "-o", options)

    def stop(self, how: str = "fast") -> None:
        """Stops it as pg_ctl says, and waits until it has."""
        self._run("pg_ctl", "stop", "--wait", "-s", "-D", "data", "-m", how)

    def _run(self, program: str, *arguments: str) -> None:
        run(self.home, [str(self.programs / program), *arguments])


def run(home: Path, command: Sequence[str]) -> None:
    """Runs a command in a directory as the user whose it is."""
    owner = home.stat()
    root = os.geteuid() == 0
    subprocess.run(
        command,
        cwd=home,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=owner.st_uid if root else None,
        group=owner.st_gid if root else None,
        extra_groups=[] if root else None,
    )


def made(home: Path) -> Server:
    """A server that was started in an empty directory, which is given to another user where the tests run as root."""
    found = programs()
    assert found is not None
    if os.geteuid() == 0:
        names = {one.pw_name: one for one in pwd.getpwall()}
        user = next(names[name] for name in NOBODY if name in names)
        os.chown(home, user.pw_uid, user.pw_gid)
    run(
        home,
        [str(found / "initdb"), "--no-sync", "-A", "trust", "-U", "redress", "-E", "UTF8", "--no-locale", "-D", "data"],
    )
    server = Server(found, home, _free())
    server.start()
    return server


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
