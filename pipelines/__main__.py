"""The command line: read the words, call the job, print its closing table."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes, token_hex
from typing import Final

from features import RedressError
from features.asking import ASKED
from features.build import HORIZON
from features.kernel import DAY, HOUR
from features.tables import CASES

TRACKING: Final = "sqlite:///redress.db"
DESCRIBED: Final = Path("redress-out") / "simulate"
LONGEST: Final = 36_525 * DAY
LATER: Final = "belongs to a later version"
Closing = Mapping[str, object]
Said = Callable[[str], None]


def span(text: str) -> int:
    """A duration such as 120d or 36h in microseconds.

    >>> span("7d") // DAY, span("36h") // HOUR
    (7, 36)
    """
    found = re.fullmatch(r"(\d+)([dh])", text)
    length = 0 if found is None else int(found[1]) * (DAY if found[2] == "d" else HOUR)
    if not 0 < length <= LONGEST:
        raise argparse.ArgumentTypeError(f"want a duration such as 120d or 36h, of 100 years at most, got {text}")
    return length


def time(text: str) -> int:
    """An ISO 8601 time in microseconds since 1970; a date means midnight UTC, and a time without a zone is UTC.

    >>> time("1970-01-02"), time("1970-01-01T00:00:00.000001+00:00")
    (86400000000, 1)
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"want an ISO 8601 date or time, got {text}") from None
    since = (found if found.tzinfo else found.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def train_span(text: str) -> int | None:
    """A training span: a duration, or "all"."""
    return None if text == "all" else span(text)


def whole(text: str) -> int:
    """A whole number of at least one."""
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"want a whole number of at least 1, got {text}")
    return int(text)


def seed(text: str) -> int:
    """A seed of random numbers."""
    if not text.isdigit() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"want a whole number from 0 to 2147483647, got {text}")
    return int(text)


def _one_way(args: argparse.Namespace) -> None:
    """Wrong usage unless askings are named in one way: by a span or one by one."""
    if args.asks is not None and (args.start is not None or args.stop is not None):
        args.parser.error("--asks goes in place of --from and --to")


def _horizon(args: argparse.Namespace) -> int:
    if args.horizon is not None and args.question in ASKED and args.question != "chargeback_risk":
        args.parser.error(f"--horizon goes with chargeback_risk, got {args.question}")
    return HORIZON if args.horizon is None else int(args.horizon)


def _check(args: argparse.Namespace, said: Said) -> Closing:
    """Read every table of a ledger, set bad rows aside with their reasons, and say what the ledger can support."""
    from pipelines.check import check

    return check(args.ledger, horizon=args.horizon or HORIZON, said=said)


def _import(args: argparse.Namespace, said: Said) -> Closing:
    """Make a ledger from anyone's CSV and Parquet files by a mapping in DuckDB SQL."""
    from pipelines.importing import import_ledger

    made = import_ledger(args.mapping, args.source, args.out, said=said)
    for sentence in made.left_out:
        said(f"warning: {sentence}")
    return {name: f"{rows:,} rows" for name, rows in made.rows.items()} | {"ledger": str(args.out)}


def _simulate(args: argparse.Namespace, said: Said) -> Closing:
    """Make a simulated marketplace's ledger and its truth; it shows that the machinery works and nothing about the world."""
    if args.out is None and not args.describe:
        args.parser.error("want --out, or --describe, or both")
    from pipelines.marketplace import parameters_from

    parameters = parameters_from(args.set, orders=args.orders, days=args.days)
    closing: dict[str, object] = {}
    if args.out is not None:
        from pipelines.simulate import simulate_ledger

        closing |= simulate_ledger(parameters, args.out, seed=args.seed, said=said)
    if args.describe:
        from pipelines.describe import describe

        closing |= describe(parameters, seed=args.seed, out=DESCRIBED, said=said)
    return closing


def _signals(args: argparse.Namespace, said: Said) -> Closing:
    """Write one row of signals for each asking, with what was known just before it."""
    from pipelines.signals import write_signals

    if args.describe:
        return _described([args.question] if args.question else list(ASKED), args.ledger, args.only)
    if args.question is None or args.ledger is None or args.out is None:
        args.parser.error("want QUESTION, --ledger and --out, or --describe")
    _one_way(args)
    horizon = _horizon(args)
    return write_signals(
        args.question,
        args.ledger,
        args.out,
        start=args.start,
        stop=args.stop,
        asks=args.asks,
        horizon=horizon,
        only=args.only,
        said=said,
    )


def _described(questions: Sequence[str], ledger: Path | None, only: Sequence[str] | None) -> Closing:
    from pipelines.signals import described

    return described(questions, ledger, only)


def _train(args: argparse.Namespace, said: Said) -> Closing:
    """Train on the answers known before a moment, calibrate, evaluate on the latest mature slice, log and register."""
    horizon = _horizon(args)
    if args.effects and args.question != "chargeback_win":
        args.parser.error(f"--effects goes with chargeback_win, got {args.question}")
    from pipelines.train import train

    return train(
        args.question,
        args.ledger,
        as_of=args.as_of,
        start=args.start,
        horizon=horizon,
        tracking=args.tracking,
        out=args.out,
        seed=args.seed,
        champion=args.champion,
        tune=args.tune,
        with_effects=args.effects,
        said=said,
    )


def _score(args: argparse.Namespace, said: Said) -> Closing:
    """Write the probability of each asking and the parts of its log-odds."""
    _one_way(args)
    from pipelines.score import score

    return score(
        args.question,
        args.ledger,
        args.model,
        args.out,
        start=args.start,
        stop=args.stop,
        asks=args.asks,
        with_reasons=args.reasons,
        tracking=args.tracking,
        said=said,
    )


def _backtest(args: argparse.Namespace, said: Said) -> Closing:
    """Walk forward over the last spans of a ledger: train before each gap, test after it."""
    horizon = _horizon(args)
    from pipelines.backtest import backtest

    return backtest(
        args.question,
        args.ledger,
        start=args.start,
        stop=args.stop,
        horizon=horizon,
        n=args.folds,
        train=args.train,
        gap=args.gap,
        test=args.test,
        exclude=args.exclude,
        out=args.out,
        seed=args.seed,
        said=said,
    )


def _refunds(args: argparse.Namespace, said: Said) -> Closing:
    """Answer a span's disputes as policies would have, with records, and hold what that costs against plain ways."""
    from pipelines.refunds import refunds

    return refunds(
        args.ledger, args.models, args.policy or ["default"], args.out, start=args.start, stop=args.stop, said=said
    )


def _replay(args: argparse.Namespace, said: Said) -> Closing:
    """Make recorded decisions again, and say what differs unless they are the same to the bit."""
    from pipelines.replay import replay

    return replay(args.records, args.ledger, args.models, policy=args.policy, said=said)


def _tiers(args: argparse.Namespace, said: Said) -> Closing:
    """Adjust and restore buyers' dispute rules over a span, by a score and a confirmed signal, and say what each is told."""
    from pipelines.tiering import tiers

    return tiers(args.ledger, args.models, args.policy, args.out, start=args.start, stop=args.stop, said=said)


def _appeal(args: argparse.Namespace, said: Said) -> Closing:
    """Apply what a person ruled on a buyer's appeal against his tier, and give the row to put into the ledger."""
    from pipelines.appealing import appeal

    return appeal(
        args.buyer,
        args.ledger,
        args.policy,
        args.out,
        granted=args.granted,
        at=args.at,
        filed=args.filed,
        said=said,
    )


def _records(args: argparse.Namespace, said: Said) -> Closing:
    """Give a buyer what was decided about his disputes, in his own voice, from a chain of records that is whole."""
    from pipelines.disclosing import disclose

    return disclose(args.records, args.ledger, args.buyer, args.out, said=said)


def _evidence(args: argparse.Namespace, said: Said) -> Closing:
    """Say which evidence to obtain for one case before its deadline, what completes a set, and what that is worth."""
    from models.advised import plain
    from models.policy import opened
    from pipelines.evidence import evidence
    from pipelines.printed import table

    found = evidence(
        args.case_id,
        args.ledger,
        args.models,
        as_of=args.as_of,
        kind=args.kind,
        policy=opened(args.policy),
        zone=args.zone,
        said=said,
    )
    return plain(found) if args.json else table(found)


def _load(args: argparse.Namespace, said: Said) -> Closing:
    """Fill a new online store from a ledger, whole or not at all."""
    from pipelines.loading import load

    return load(
        args.ledger,
        args.store,
        name=token_hex(16),
        horizon=args.horizon or HORIZON,
        keep=args.keep,
        key=args.key,
        said=said,
    )


def _export(args: argparse.Namespace, said: Said) -> Closing:
    """Write a store's facts as a ledger, or all that it holds of one buyer with the records of decisions."""
    from pipelines.exporting import export

    return export(args.store, args.out, buyer=args.buyer, key=args.key, said=said)


def _erase(args: argparse.Namespace, said: Said) -> Closing:
    """Make one buyer of a store nobody: fresh names for his ids, of which no mapping is kept."""
    from pipelines.erasing import erase

    return erase(args.store, args.buyer, token_bytes(32), key=args.key, said=said)


def _demo(args: argparse.Namespace, said: Said) -> Closing:
    """Run the whole job on a small simulated marketplace."""
    from pipelines.demo import demo

    return demo(args.out, said=said)


def _asks(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--from", dest="start", type=time, metavar="D", help="askings at or after this time")
    verb.add_argument("--to", dest="stop", type=time, metavar="D", help="askings before this time")
    verb.add_argument("--asks", type=Path, metavar="F", help="Parquet with ask_id and at, in place of --from and --to")
    verb.add_argument("--engine", choices=["local", "spark"], default="local", help=f"spark {LATER}")


def _learning(verb: argparse.ArgumentParser, job: str) -> None:
    verb.add_argument("question", metavar="QUESTION", help=" or ".join(ASKED))
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    verb.add_argument("--from", dest="start", type=time, metavar="D", help="learn from askings at or after this time")
    verb.add_argument("--horizon", type=span, metavar="120d", help="how long after an order a chargeback counts")
    verb.add_argument("--out", type=Path, default=Path("redress-out") / job, metavar="DIR")
    verb.add_argument("--seed", type=seed, default=0)


def _add_check(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("ledger", type=Path, metavar="LEDGER")
    verb.add_argument("--horizon", type=span, metavar="120d", help="how long after an order a chargeback counts")


def _add_import(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("mapping", type=Path, metavar="MAPPING.sql")
    verb.add_argument("--source", type=Path, required=True, metavar="DIR", help="CSV and Parquet files, as source.NAME")
    verb.add_argument("--out", type=Path, required=True, metavar="LEDGER")


def _add_simulate(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--out", type=Path, metavar="LEDGER")
    verb.add_argument("--orders", type=int, metavar="N", help="orders in all; 50000 unless set")
    verb.add_argument(
        "--days", type=int, metavar="D", help="days from the first order to the ledger's end; 540 unless set"
    )
    verb.add_argument("--seed", type=seed, default=0, metavar="S")
    verb.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter, or world=lifelike, enriched or chargeback_rich; --describe lists them",
    )
    verb.add_argument(
        "--describe",
        action="store_true",
        help="print parameters, rates, label coverage, strongest signals, best achievable",
    )


def _add_signals(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("question", nargs="?", metavar="QUESTION", help=" or ".join(ASKED))
    verb.add_argument("--ledger", type=Path, metavar="L")
    _asks(verb)
    verb.add_argument("--horizon", type=span, metavar="120d", help="how long after an order a chargeback counts")
    verb.add_argument("--out", type=Path, metavar="F.parquet")
    verb.add_argument("--only", action="append", metavar="NAME", help="signals of this name, in which * is anything")
    verb.add_argument(
        "--describe",
        action="store_true",
        help="print the dictionary of signals, with --ledger what it can give",
    )


def _add_train(verb: argparse.ArgumentParser) -> None:
    _learning(verb, "train")
    verb.add_argument("--as-of", type=time, metavar="D", help="learn what was known before this time")
    verb.add_argument("--tracking", default=TRACKING, metavar="URI", help="MLflow server")
    verb.add_argument("--champion", action="store_true", help="register it as the champion at once")
    verb.add_argument(
        "--tune", type=whole, default=0, metavar="N", help="try N settings of the trees first, 3 trainings for each"
    )
    verb.add_argument(
        "--effects", action="store_true", help="say what evidence does to winning; with chargeback_win, takes minutes"
    )


def _add_score(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("question", metavar="QUESTION", help=" or ".join(ASKED))
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    _asks(verb)
    verb.add_argument("--model", required=True, metavar="URI_OR_DIR")
    verb.add_argument("--out", type=Path, required=True, metavar="S.parquet")
    verb.add_argument("--reasons", action="store_true", help="add what weighs most, told to reviewer, seller and buyer")
    verb.add_argument(
        "--tracking", default=TRACKING, metavar="URI", help="MLflow server that model URIs are looked up in"
    )


def _add_backtest(verb: argparse.ArgumentParser) -> None:
    _learning(verb, "backtest")
    verb.add_argument("--to", dest="stop", type=time, metavar="D", help="the end of the last test span")
    verb.add_argument("--folds", type=whole, default=3, metavar="N")
    verb.add_argument(
        "--train", type=train_span, default=None, metavar="all|28d", help="the training span before each gap"
    )
    verb.add_argument("--gap", type=span, metavar="7d", help="between training and test; the horizon unless longer")
    verb.add_argument(
        "--test", type=span, required=True, metavar="7d", help="the length of a test span; it must be given"
    )
    verb.add_argument("--exclude", choices=["compromised"], help="leave out buyers already known to be charged back")


def _add_refunds(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    verb.add_argument("--models", type=Path, required=True, metavar="DIR", help="a folder for each question")
    verb.add_argument(
        "--from", dest="start", type=time, required=True, metavar="D", help="disputes at or after this time"
    )
    verb.add_argument("--to", dest="stop", type=time, required=True, metavar="D", help="disputes before this time")
    verb.add_argument(
        "--policy",
        action="append",
        metavar="P",
        help="a TOML file, or default, strict or generous; several are compared, at the prices of the first",
    )
    verb.add_argument("--out", type=Path, default=Path("redress-out/refunds"), metavar="DIR")


def _add_replay(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("records", type=Path, metavar="RECORDS", help="decision records, one a line")
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    verb.add_argument("--models", type=Path, required=True, metavar="DIR", help="a folder for each question")
    verb.add_argument("--policy", metavar="P", help="a TOML file; the shipped policy of the records' name without it")


def _add_tiers(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    verb.add_argument("--models", type=Path, required=True, metavar="DIR", help="a folder for each question")
    verb.add_argument(
        "--from", dest="start", type=time, required=True, metavar="D", help="changes at or after this time"
    )
    verb.add_argument("--to", dest="stop", type=time, required=True, metavar="D", help="changes before this time")
    verb.add_argument("--policy", default="default", metavar="P", help="a TOML file, or default, strict or generous")
    verb.add_argument("--out", type=Path, default=Path("redress-out/tiers"), metavar="DIR")


def _add_appeal(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("buyer", metavar="BUYER_ID")
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    ruled = verb.add_mutually_exclusive_group(required=True)
    ruled.add_argument("--granted", action="store_true", help="a person granted it: the tier appealed against is over")
    ruled.add_argument("--refused", action="store_true", help="his tier stays, and nothing is put into the ledger")
    verb.add_argument("--at", type=time, required=True, metavar="T", help="when the person ruled")
    verb.add_argument(
        "--filed", type=time, metavar="T", help="when the buyer appealed; when it was ruled on unless set"
    )
    verb.add_argument("--policy", default="default", metavar="P", help="a TOML file, or default, strict or generous")
    verb.add_argument("--out", type=Path, default=Path("redress-out/appeal"), metavar="DIR")


def _add_records(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("records", type=Path, metavar="RECORDS", help="a whole chain of decision records, one a line")
    verb.add_argument("--ledger", type=Path, required=True, metavar="L", help="says whose dispute each record is of")
    verb.add_argument("--buyer", required=True, metavar="ID")
    verb.add_argument("--out", type=Path, required=True, metavar="FILE.jsonl")


def _add_evidence(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("case_id", metavar="CASE_ID", help="of a chargeback, a dispute, or an order not yet shipped")
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    verb.add_argument("--models", type=Path, required=True, metavar="DIR", help="one folder for each question")
    verb.add_argument("--as-of", type=time, metavar="T", help="what was known before this time; all unless set")
    verb.add_argument("--kind", choices=list(CASES), help="what the id is of, where that is not plain")
    verb.add_argument("--policy", default="default", metavar="P", help="a TOML file, or default, strict or generous")
    verb.add_argument("--zone", default="UTC", metavar="Z", help="times are shown in it besides, such as Europe/Berlin")


def _of_store(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--store", required=True, metavar="PATH_OR_URL", help="a directory, or postgresql://…")
    verb.add_argument("--key", type=Path, metavar="FILE", help="a key of 32 random bytes that hashes ids of persons")


def _add_load(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--ledger", type=Path, required=True, metavar="L")
    _of_store(verb)
    verb.add_argument("--horizon", type=span, metavar="120d", help="how long after an order a chargeback counts")
    verb.add_argument(
        "--keep", type=span, metavar="540d", help="leave out what is older, and all about orders that old"
    )


def _add_export(verb: argparse.ArgumentParser) -> None:
    _of_store(verb)
    verb.add_argument("--out", type=Path, required=True, metavar="LEDGER")
    verb.add_argument("--buyer", metavar="ID", help="what is held of one buyer alone, with the records of decisions")


def _add_erase(verb: argparse.ArgumentParser) -> None:
    _of_store(verb)
    verb.add_argument("--buyer", required=True, metavar="ID")


def _serve(args: argparse.Namespace, said: Said) -> Closing:
    """Serve decisions over HTTP until it is told to end; or make a token for those who may ask."""
    from pipelines.serving import Served, serve, token

    if args.new_token is not None:
        if args.tokens is None or not args.scope:
            args.parser.error("--new-token wants --tokens FILE and --scope")
        return token(args.tokens, args.new_token, args.scope, args.expires)
    if args.store is None or args.models is None or args.is_open == (args.tokens is not None):
        args.parser.error("want --store, --models, and either --tokens FILE or --open")
    serve(Served(args.store, args.models, args.policy, args.host, args.port, args.tokens, args.key), said=said)


def _add_serve(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--store", metavar="S", help="what is known: a store")
    verb.add_argument(
        "--models", metavar="URI_OR_DIR", help="a folder for each question, or an MLflow server whose champions answer"
    )
    verb.add_argument("--key", type=Path, metavar="FILE", help="the key that the store's ids of persons are hashed by")
    verb.add_argument("--policy", default="default", metavar="P", help="a TOML file, or default, strict or generous")
    verb.add_argument("--host", default="127.0.0.1", help="where to listen; this machine alone unless set")
    verb.add_argument("--port", type=whole, default=8000)
    verb.add_argument("--tokens", type=Path, metavar="FILE", help="who may ask: a line for each token, with its hash")
    verb.add_argument("--open", action="store_true", dest="is_open", help="answer this machine without tokens")
    verb.add_argument("--new-token", metavar="NAME", help="add a token to --tokens and print it, this once")
    verb.add_argument("--scope", action="append", choices=("append", "decide", "read"), help="what it opens; repeat it")
    verb.add_argument("--expires", default="never", metavar="T", help="until when, such as 2027-01-01T00:00:00Z")


def _add_demo(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--out", type=Path, default=Path("redress-out/demo"), metavar="DIR")


@dataclass(frozen=True)
class Verb:
    """A command: what it runs, the words it takes, and an example."""

    run: Callable[[argparse.Namespace, Said], Closing]
    words: Callable[[argparse.ArgumentParser], None]
    example: str


VERBS: Final = {
    "demo": Verb(_demo, _add_demo, "redress demo --out redress-out/demo"),
    "simulate": Verb(_simulate, _add_simulate, "redress simulate --out ledger --orders 20000 --days 540 --seed 1"),
    "import": Verb(_import, _add_import, "redress import examples/handbook.sql --source downloads --out ledger"),
    "check": Verb(_check, _add_check, "redress check ledger"),
    "signals": Verb(_signals, _add_signals, "redress signals chargeback_risk --ledger ledger --out signals.parquet"),
    "train": Verb(_train, _add_train, "redress train chargeback_risk --ledger ledger --as-of 2019-11-24 --horizon 3d"),
    "score": Verb(
        _score, _add_score, "redress score chargeback_risk --ledger ledger --model redress-out/train --out s.parquet"
    ),
    "refunds": Verb(
        _refunds,
        _add_refunds,
        "redress refunds --ledger ledger --models redress-out/train --from 2025-01-01 --to 2025-06-01 --policy strict",
    ),
    "replay": Verb(
        _replay, _add_replay, "redress replay records.default.jsonl --ledger ledger --models redress-out/train"
    ),
    "records": Verb(
        _records, _add_records, "redress records records.default.jsonl --ledger ledger --buyer b12 --out b12.jsonl"
    ),
    "tiers": Verb(
        _tiers,
        _add_tiers,
        "redress tiers --ledger ledger --models redress-out/train --from 2025-01-01 --to 2025-06-01",
    ),
    "appeal": Verb(_appeal, _add_appeal, "redress appeal b12 --ledger ledger --granted --at 2025-06-02T09:30"),
    "evidence": Verb(
        _evidence, _add_evidence, "redress evidence c123 --ledger ledger --models redress-out/train --as-of 2025-03-01"
    ),
    "load": Verb(_load, _add_load, "redress load --ledger ledger --store store --keep 540d"),
    "export": Verb(_export, _add_export, "redress export --store store --out copy --buyer b12"),
    "erase": Verb(_erase, _add_erase, "redress erase --store store --buyer b12"),
    "serve": Verb(
        _serve, _add_serve, "redress serve --store store --models redress-out/train --tokens tokens --port 8000"
    ),
    "backtest": Verb(_backtest, _add_backtest, "redress backtest chargeback_risk --ledger ledger --folds 3 --test 7d"),
}
AWAITED: Final = ("monitor",)
"""Commands that are named in the interface and come with later versions."""


def parser() -> argparse.ArgumentParser:
    """The command line's grammar; each verb's help is its docstring and one example."""
    top = argparse.ArgumentParser("redress", description="From a marketplace's ledger to calibrated dispute risk.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="COMMAND")
    for name, verb in VERBS.items():
        says = verb.run.__doc__ or ""
        word = verbs.add_parser(name, help=says.rstrip("."), description=says, epilog=f"example: {verb.example}")
        verb.words(word)
        word.add_argument("--json", action="store_true", help="print the closing table as JSON and nothing else")
        word.set_defaults(run=verb.run, parser=word)
    for name in AWAITED:
        verbs.add_parser(name, add_help=False).set_defaults(run=None)
    return top


def _print(closing: Closing, as_json: bool) -> None:
    if as_json:
        print(json.dumps(closing, indent=1))
        return
    wide = max(map(len, closing), default=0)
    for name, value in closing.items():
        print(f"{name:<{wide}}  {value:,}" if isinstance(value, int) else f"{name:<{wide}}  {value}")


def main(words: Sequence[str] | None = None) -> int:
    """Runs a command: 0 when it is done, 1 with one sentence for a known fault, 2 for wrong usage."""
    args, rest = parser().parse_known_args(words)
    if args.run is None or getattr(args, "engine", "local") == "spark":
        print(f"redress: {args.verb if args.run is None else '--engine spark'} {LATER}", file=sys.stderr)
        return 2
    if rest:
        args.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        _print(args.run(args, lambda line: print(line, file=sys.stderr, flush=True)), args.json)
        sys.stdout.flush()
    except RedressError as error:
        print(f"redress: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("redress: stopped", file=sys.stderr)
        return 130
    except (
        BrokenPipeError
    ):  # who reads the output has seen enough; nothing may be flushed into the pipe at the end either
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        print(f"redress: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
