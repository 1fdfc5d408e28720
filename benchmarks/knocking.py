"""A client in a process of its own: so many connections that each send the next request as soon as the last is answered.

`python -m benchmarks.knocking WORK.json` reads what to send from a file, and prints how fast the answers came, as JSON. It
speaks HTTP over plain streams, so that it costs less than what it measures, and the same for every server.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from statistics import quantiles


@dataclass(frozen=True)
class Work:
    """Whom to ask and what: bodies are sent in turn, for so many seconds after as many of warming up, by connections."""

    port: int
    path: str
    bodies: tuple[str, ...]
    headers: dict[str, str]
    connections: int
    seconds: float


@dataclass(frozen=True)
class Found:
    """How fast answers came: how many in a second, milliseconds to one at the median and at 99 %, and how many refused."""

    pace: float
    median: float
    p99: float
    refused: int


def request(work: Work, body: str) -> bytes:
    """A request as it goes over the wire."""
    told = body.encode()
    headers = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(told))} | work.headers
    lines = [f"{'POST' if told else 'GET'} {work.path} HTTP/1.1", *(f"{name}: {is_}" for name, is_ in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + told


async def answer(reader: asyncio.StreamReader) -> int:
    """Reads one answer to its end, and gives its status."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, found, rest = head.partition(b"content-length:")
    assert found, head
    await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    return int(head.split(b" ", 2)[1])


async def knocks(work: Work, requests: Iterator[bytes], until: float) -> list[tuple[float, int]]:
    """Sends and reads over one connection until a moment: seconds to each answer, and its status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", work.port)
    found = list[tuple[float, int]]()
    while (began := time.perf_counter()) < until:
        writer.write(next(requests))
        status = await answer(reader)
        found.append((time.perf_counter() - began, status))
    writer.close()
    await writer.wait_closed()
    return found


async def measured(work: Work) -> Found:
    """Warms up, and measures."""
    requests = cycle([request(work, body) for body in work.bodies])
    for _ in range(2):
        began = time.perf_counter()
        some = await asyncio.gather(*(knocks(work, requests, began + work.seconds) for _ in range(work.connections)))
        spent = time.perf_counter() - began
    took = [1e3 * seconds for one in some for seconds, _ in one]
    cuts = quantiles(took, n=100)
    refused = sum(status != 200 for one in some for _, status in one)
    return Found(len(took) / spent, cuts[49], cuts[98], refused)


def main() -> int:
    """Does the work of a file."""
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps(asdict(asyncio.run(measured(Work(**told | {"bodies": tuple(told["bodies"])}))))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
