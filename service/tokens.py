"""Bearer tokens: who may append, decide and read, kept as hashes, a line each, in a file.

A token is 32 random bytes, which no one guesses: one SHA-256 is enough to keep it by, unlike a password.
"""

import argparse
import hmac
import secrets
import sys
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from re import fullmatch
from typing import Final

from features import RedressError
from features.requests import INSTANT, moment, short

SCOPES: Final = ("append", "decide", "read")
NEVER: Final = "never"
PREFIX: Final = "redress_"


@dataclass(frozen=True)
class Token:
    """A token: its name, which logs may tell, what it opens, when it ends in microseconds since 1970, and its hash."""

    name: str
    scopes: frozenset[str]
    expires: int | None
    digest: str


ANYONE: Final = Token("anyone", frozenset(SCOPES), None, "")
"""Who asks a service that was opened to its own machine."""


def digest(text: str) -> str:
    """The hash that a token is kept by."""
    return sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def parsed(line: str, where: str) -> Token:
    """The token of a line: name, scopes, expiry and hash; RedressError that names what is wrong.

    >>> parsed(f"shop append,decide 2027-01-01T00:00:00Z sha256:{'0' * 64}", "tokens:1").expires
    1798761600000000
    """
    words = line.split()
    if len(words) != 4:
        raise RedressError(f"{where}: want name, scopes, expiry and hash, got {len(words)} words; write it anew")
    name, scopes, until, told = words
    if not fullmatch(r"[A-Za-z0-9_.-]{1,64}", name):
        raise RedressError(f"{where}: want a name of letters, digits, _ . and -, got {short(name)}; choose another")
    opens = frozenset(scopes.split(","))
    if not opens <= set(SCOPES):
        raise RedressError(f"{where}: want scopes among {', '.join(SCOPES)}, got {short(scopes)}; correct them")
    expires = None if until == NEVER else moment(until)
    if expires is None and until != NEVER:
        raise RedressError(f"{where}: want {INSTANT}, or {NEVER}, got {short(until)}; correct it")
    if not fullmatch("sha256:[0-9a-f]{64}", told):
        raise RedressError(f"{where}: want sha256: and 64 hex digits, got another hash; make the token anew")
    return Token(name, opens, expires, told.removeprefix("sha256:"))


def read(path: Path) -> tuple[Token, ...]:
    """The tokens of a file; lines that begin with # say something else."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise RedressError(f"{path}: want a readable file of tokens, got {error}; redress serve --new-token") from None
    told = [(i, line) for i, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    found = tuple(parsed(line, f"{path.name}:{i}") for i, line in told)
    names = [token.name for token in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise RedressError(f"{path}: want each name once, got {twice} again; choose another")
    return found


def found(tokens: Sequence[Token], text: str, now: int) -> Token | None:
    """The token that a request brings, None where it is none or has expired; its own moment is past the end."""
    came, met = digest(text), None
    for token in tokens:
        if hmac.compare_digest(token.digest, came):
            met = token
    return None if met is None or (met.expires is not None and now >= met.expires) else met


def made(name: str, scopes: Sequence[str], expires: str, random: bytes) -> tuple[str, str]:
    """A new token of 32 random bytes, and the line that keeps it; RedressError for a name or scope that is none.

    >>> text, line = made("shop", ["decide"], NEVER, bytes(32))
    >>> found([parsed(line, "here")], text, 0).name
    'shop'
    """
    text = PREFIX + urlsafe_b64encode(random).rstrip(b"=").decode()
    line = f"{name} {','.join(scopes)} {expires} sha256:{digest(text)}"
    parsed(line, "token")
    return text, line


def main(words: Sequence[str] | None = None) -> int:
    """Adds a new token to a file and prints it, this once: `python -m service.tokens FILE NAME --scope decide`."""
    top = argparse.ArgumentParser("python -m service.tokens", description=main.__doc__)
    top.add_argument("file", type=Path)
    top.add_argument("name")
    top.add_argument("--scope", action="append", choices=SCOPES, required=True)
    top.add_argument("--expires", default=NEVER, help=f"{INSTANT}, or {NEVER}")
    args = top.parse_args(words)
    try:
        text, line = made(args.name, args.scope, args.expires, secrets.token_bytes(32))
        if args.name in {token.name for token in (read(args.file) if args.file.exists() else ())}:
            raise RedressError(f"{args.file}: want a new name, got {args.name} again; choose another")
    except RedressError as error:
        print(f"redress: {error}", file=sys.stderr)
        return 1
    args.file.touch(mode=0o600)
    with args.file.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
