"""The job of writing signals: one row for each asking, in Parquet."""

import fnmatch
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NoReturn

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from features import Ledger, RedressError
from features.asking import Askings, askings, named_askings
from features.build import blocks
from features.dictionary import absent, dictionary, lacking
from features.signal import Signal
from pipelines.opening import Said, moment, opened


def chosen(
    ledger: Ledger, question: str, start: int | None, stop: int | None, asks: Path | None, said: Said
) -> Askings:
    """The askings of a span, or those that a Parquet file names; RedressError when there are none.

    Says how many are later than all that the ledger tells, which know no more than its end.
    """
    named = None if asks is None else _asks(asks)
    which = askings(ledger, question, start, stop) if named is None else named_askings(ledger, question, named)
    if not len(which) and asks is not None:
        raise RedressError(f"{question}: want askings in {asks}, got none; name at least one")
    if not len(which):
        raise RedressError(f"{question}: want askings between --from and --to, got none; widen the span")
    if late := int((which.at > ledger.last_at).sum()):
        said(
            f"warning: the ledger ends {moment(ledger.last_at)}; askings after that, who lack what came since: {late:,}"
        )
    return which


def _some(ledger: Ledger, question: str, names: Sequence[str] | None, said: Said) -> None:
    """Says which of the signals named the ledger cannot give, and why; RedressError when it can give none."""
    lost = {one.name: lacking(ledger, one) for one in dictionary(question) if names is not None and one.name in names}
    lost = {name: wants for name, wants in lost.items() if wants}
    if names is not None and len(lost) == len(names):
        raise RedressError(
            f"--only: want signals that {ledger.name} can give, got {names[0]} without {', '.join(lost[names[0]])}; add it"
        )
    if lost:
        first = next(iter(lost))
        said(f"warning: {len(lost):,} signals are absent, such as {first} for want of {', '.join(lost[first])}")


def described(questions: Sequence[str], ledger: Path | None, only: Sequence[str] | None) -> dict[str, object]:
    """The dictionary: part, unit, meaning and needs of each signal by name, and of those a ledger lacks, why it is absent."""
    told = {signal.name: signal for question in reversed(questions) for signal in dictionary(question)}
    names = list(told) if only is None else _matching(list(told), only, " or ".join(questions))
    facts = None if ledger is None else Ledger.open(ledger)
    return {name: _said(told[name], facts) for name in names}


def _said(signal: Signal, ledger: Ledger | None) -> str:
    uses = f", uses {', '.join(signal.uses)}" if signal.uses else ""
    lost = [] if ledger is None else lacking(ledger, signal)
    there = "" if ledger is None else f" | absent for want of {', '.join(lost)}" if lost else _computed(ledger, signal)
    return f"{signal.part} | {signal.unit} | {signal.meaning} | needs {', '.join(signal.needs)}{uses}{there}"


def _computed(ledger: Ledger, signal: Signal) -> str:
    without = absent(ledger, signal.uses)
    return " | computed" + (f", without {', '.join(without)}" if without else "")


def named(question: str, patterns: Sequence[str]) -> list[str]:
    """The signals of a question whose names match any of the patterns, in which * stands for anything."""
    return _matching([signal.name for signal in dictionary(question)], patterns, question)


def _matching(names: Sequence[str], patterns: Sequence[str], of: str) -> list[str]:
    found = {pattern: fnmatch.filter(names, pattern) for pattern in patterns}
    for pattern, matched in found.items():
        if not matched:
            raise RedressError(
                f"--only: want names of signals of {of}, got {pattern}; redress signals --describe lists them"
            )
    return list(dict.fromkeys(name for matched in found.values() for name in matched))


def _asks(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except FileNotFoundError:
        raise RedressError(f"{path}: want Parquet with ask_id and at, got no such file; name another") from None
    except (OSError, pa.ArrowInvalid) as error:
        raise RedressError(f"{path}: want Parquet with ask_id and at, got {str(error).splitlines()[0]}") from None


def _writable(path: Path) -> None:
    if path.is_dir():
        raise RedressError(f"{path}: want a file to write, got a directory; name a file in it")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, which takes its name once all is written and leaves nothing behind if not."""
    _writable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_frames(frames: Iterator[pd.DataFrame], path: Path) -> int:
    """Writes frames one after the other as the row groups of a Parquet file, each while the next is made; returns the rows."""
    rows, last = 0, None
    with written(path) as beside, ExitStack() as files, ThreadPoolExecutor(1) as writing:
        writer: pq.ParquetWriter | None = None
        for frame in frames:
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if writer is None:
                writer = pq.ParquetWriter(beside, table.schema, compression="zstd", use_dictionary=["ask_id"])
                files.enter_context(writer)
            if last is not None:
                last.result()
            last = writing.submit(writer.write_table, table)
            rows += len(frame)
        if last is not None:
            last.result()
    return rows


def progress(rows: int, says: str) -> "tqdm[NoReturn]":
    """A bar on a terminal for what takes over two seconds."""
    return tqdm(total=rows, desc=says, unit=" askings", unit_scale=True, delay=2, disable=None, leave=False)


def write_signals(
    question: str,
    ledger: Path,
    out: Path,
    *,
    start: int | None,
    stop: int | None,
    asks: Path | None,
    horizon: int,
    only: Sequence[str] | None,
    said: Said,
) -> dict[str, object]:
    """Computes every signal that the ledger can give, of those whose names match `only`, and writes them to `out`."""
    names = None if only is None else named(question, only)
    _writable(out)
    facts = opened(ledger, said)
    _some(facts, question, names, said)
    which = chosen(facts, question, start, stop, asks, said)
    said(f"computing signals of {len(which):,} askings")
    columns = 0

    def frames() -> Iterator[pd.DataFrame]:
        nonlocal columns
        with progress(len(which), "signals") as bar:
            for frame in blocks(facts, which, horizon=horizon, only=names):
                columns = frame.shape[1] - 2
                yield frame
                bar.update(len(frame))

    rows = write_frames(frames(), out)
    return {"question": question, "askings": rows, "signals": columns, "written": str(out)}
