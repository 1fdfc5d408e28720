"""Both doors to ordered keys against a dictionary that is sorted at every call, and what is left when a writer is killed."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.postgres import Server
from features import RedressError
from features.embedded import Embedded
from features.keys import LONGEST, TOGETHER, Batch, Entry, Keys, Snapshot, end, opened

ALL = (b"", b"\xff" * (LONGEST + 1))
KEYS = st.lists(st.sampled_from([0, 97, 98, 255]), min_size=1, max_size=3).map(bytes)
EDGES = st.lists(st.sampled_from([0, 97, 98, 255]), max_size=4).map(bytes)
PUTS = st.lists(st.tuples(KEYS, st.binary(max_size=3)), max_size=6)
PAIRS = st.lists(st.tuples(EDGES, EDGES), max_size=8)
WRITES = st.lists(st.one_of(PUTS, st.lists(KEYS, max_size=4).map(frozenset)), max_size=4)


class Twin(dict[bytes, bytes]):
    """What the law says, said once more: a dictionary, looked through from end to end."""

    def many(self, keys: list[bytes]) -> list[bytes | None]:
        return [self.get(key) for key in keys]

    def below(self, edges: list[tuple[bytes, bytes]]) -> list[Entry | None]:
        found = [[one for one in sorted(self.items()) if one[0].startswith(p) and one[0] < edge] for p, edge in edges]
        return [some[-1] if some else None for some in found]

    def span(self, lo: bytes, hi: bytes) -> list[Entry]:
        return [one for one in sorted(self.items()) if lo <= one[0] < hi]


class Stopped(Exception):
    """Ends a batch before its time."""


@pytest.fixture(scope="module", params=["embedded", "postgres"])
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Gives addresses where nothing is yet, behind each door in turn."""

    def addresses() -> Iterator[str]:
        while True:
            if request.param == "embedded":
                yield str(tmp_path_factory.mktemp("keys") / "within" / "here")
            else:
                server: Server = request.getfixturevalue("postgres")
                yield server.empty()

    return addresses()


@pytest.fixture
def where(fresh: Iterator[str]) -> str:
    return next(fresh)


@pytest.fixture
def keys(where: str) -> Iterator[Keys]:
    with closing(opened(where, create=True)) as found:
        yield found


def everything(keys: Keys) -> list[Entry]:
    with keys.reading() as view:
        return list(view.span(*ALL))


def written(batch: Batch, twin: Twin, writes: list[list[Entry] | frozenset[bytes]]) -> None:
    for one in writes:
        if isinstance(one, frozenset):
            batch.delete(one)
            for key in one:
                twin.pop(key, None)
        else:
            batch.put(one)
            twin.update(one)


def same(view: Snapshot, twin: Twin, asked: list[tuple[bytes, bytes]]) -> None:
    assert view.below(asked) == twin.below(asked)
    exact = [key for pair in asked for key in pair if key]
    assert view.many(exact) == twin.many(exact)
    for lo, hi in asked[:2]:
        assert list(view.span(lo, hi)) == twin.span(lo, hi)


def test_a_door_does_what_a_dictionary_does_and_leaves_nothing_of_a_batch_that_fails(fresh: Iterator[str]) -> None:
    with closing(opened(next(fresh), create=True)) as keys:

        @given(st.lists(st.tuples(WRITES, PAIRS, st.booleans()), max_size=5))
        @settings(max_examples=80)
        def law(batches: list[tuple[list[list[Entry] | frozenset[bytes]], list[tuple[bytes, bytes]], bool]]) -> None:
            with keys.writing() as batch:
                batch.delete([key for key, _ in batch.span(*ALL)])
            stands = Twin()
            for writes, asked, fails in batches:
                twin = Twin(stands)
                with suppress(Stopped), keys.reading() as before, keys.writing() as batch:
                    same(before, stands, asked)
                    written(batch, twin, writes)
                    same(batch, twin, asked)
                    same(before, stands, asked)
                    if fails:
                        raise Stopped
                stands = stands if fails else twin
                with keys.reading() as view:
                    same(view, stands, [*asked, ALL])

        law()


@pytest.mark.parametrize(
    ("prefix", "edge", "found"),
    [
        (b"a", b"a2", b"a1"),  # strictly below
        (b"a", b"a3", b"a2"),
        (b"a", b"a1", None),
        (b"a", b"z", b"a2"),  # an edge beyond all that begin so
        (b"a", b"", None),
        (b"b", b"b9", None),  # the last below it begins otherwise
        (b"\xff", b"\xff\xff", b"\xff"),
        (b"\xff\xff", b"\xff" * 4, b"\xff\xff\xff"),
        (b"", b"b", b"a2"),
        (b"", b"\0", None),
    ],
)
def test_the_last_below_an_edge(keys: Keys, prefix: bytes, edge: bytes, found: bytes | None) -> None:
    with keys.writing() as batch:
        batch.put([(key, key + b"!") for key in (b"a1", b"a2", b"c1", b"\xff", b"\xff\xff\xff")])
    want = None if found is None else (found, found + b"!")
    with keys.reading() as view:
        assert view.below([(prefix, edge)]) == [want]
        assert view.below([(prefix, edge), (b"c", b"c2"), (prefix, edge)]) == [want, (b"c1", b"c1!"), want]
        assert (view.below([]), view.many([])) == ([], [])


def test_more_entries_than_fit_at_a_time_come_back_in_order_and_may_be_deleted_on_the_way(keys: Keys) -> None:
    entries = [(b"%06d" % i, b"%d" % i) for i in range(2 * TOGETHER + 1)]
    with keys.writing() as batch:
        batch.put(reversed(entries))
        batch.put(iter([(b"000001", b"again"), (b"000001", b"last")]))
    entries[1] = (b"000001", b"last")
    assert everything(keys) == entries
    with keys.writing() as batch:
        for key, _ in batch.span(b"000002", end(b"00")):
            batch.delete([key])
    assert everything(keys) == [*entries[:2], *entries[10_000:]]


@pytest.mark.parametrize("length", [0, LONGEST + 1])
def test_a_key_has_1_to_511_bytes(keys: Keys, length: int) -> None:
    with keys.writing() as batch:
        batch.put([(b"k" * LONGEST, b"long")])
    with pytest.raises(RedressError, match=f"want 1 to 511 bytes, got {length}"), keys.writing() as batch:
        batch.put([(b"fine", b""), (b"k" * length, b"")])
    assert everything(keys) == [(b"k" * LONGEST, b"long")]


def test_two_handles_of_one_process_see_each_other_and_either_may_be_closed(where: str) -> None:
    one, other = opened(where, create=True), opened(where)
    with other.reading() as before:
        assert before.many([b"k"]) == [None]
        with one.writing() as batch:
            batch.put([(b"k", b"v")])
        assert before.many([b"k"]) == [None]
        assert before.below([(b"k", b"l")]) == [None]
    one.close()
    one.close()
    assert everything(other) == [(b"k", b"v")]
    other.close()
    with pytest.raises(RedressError, match="got one that was closed"), other.writing():
        pass


def test_writers_of_two_handles_take_turns(where: str) -> None:
    with closing(opened(where, create=True)) as one, closing(opened(where)) as other:

        def counted(keys: Keys) -> None:
            for _ in range(25):
                with keys.writing() as batch:
                    batch.put([(b"n", b"%d" % (int(batch.many([b"n"])[0] or b"0") + 1))])

        threads = [Thread(target=counted, args=(keys,)) for keys in (one, other, one)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert everything(one) == [(b"n", b"75")]


def test_a_batch_within_a_batch_is_an_error_and_no_deadlock(keys: Keys) -> None:
    with keys.writing() as batch:
        batch.put([(b"k", b"v")])
        with pytest.raises(RedressError, match=r"write transaction|one batch at a time"), keys.writing():
            pass
    assert everything(keys) == [(b"k", b"v")]


KILLED = """
import sys
from features.keys import opened
keys = opened(sys.argv[1], durable=sys.argv[2] == "True")
for i in range(3):
    with keys.writing() as batch:
        batch.put([(b"whole%d" % i, b"v")])
with keys.writing() as batch:
    batch.delete([b"whole0"])
    batch.put((b"%06d" % i, b"v" * 1000) for i in range(9000))
    print("half", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("durable", [True, False])
def test_a_killed_writer_leaves_nothing_of_its_batch_and_all_before(where: str, durable: bool) -> None:
    with closing(opened(where, create=True, durable=durable)) as keys:
        command = [sys.executable, "-c", KILLED, where, str(durable)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"half\n"
            child.kill()
        assert everything(keys) == [(b"whole%d" % i, b"v") for i in range(3)]
        with keys.writing() as batch:
            batch.put([(b"next", b"v")])
        keys.sync()
        assert len(everything(keys)) == 4


def test_a_child_does_not_go_on_with_what_its_parent_opened(keys: Keys) -> None:
    told, tells = os.pipe()
    if not os.fork():
        try:
            with keys.reading() as view:
                os.write(tells, repr(view.many([b"k"])).encode())
        except RedressError as error:
            os.write(tells, str(error).encode())
        finally:
            os._exit(0)
    os.wait()
    assert b"fork first" in os.read(told, 1000)
    os.close(told)
    os.close(tells)
    assert everything(keys) == []


def test_nothing_is_created_unasked(where: str) -> None:
    with pytest.raises(RedressError, match="want a store, got no"):
        opened(where)
    with pytest.raises(RedressError, match="want a store, got no"):
        opened(where)


def test_a_full_map_gives_a_sentence_and_what_stood_can_be_read_and_written_on(tmp_path: Path) -> None:
    entries = [(b"%04d" % i, b"v" * 1000) for i in range(2000)]
    with closing(Embedded(tmp_path, create=True, room=1 << 20)) as keys:
        with keys.writing() as batch:
            batch.put(entries[:200])
        with pytest.raises(RedressError, match="got a full store; erase some"), keys.writing() as batch:
            batch.put(entries)
        assert everything(keys) == entries[:200]
        with keys.writing() as batch:
            batch.delete(key for key, _ in entries[:150])
        with keys.writing() as batch:
            batch.put(entries[:150])
        assert everything(keys) == entries[:200]
    with closing(Embedded(tmp_path)) as keys:
        with keys.writing() as batch:
            batch.put(entries)
        assert everything(keys) == entries


def test_a_file_that_cannot_grow_gives_a_sentence_and_takes_writes_again_once_it_can(tmp_path: Path) -> None:
    entries = [(b"%04d" % i, b"v" * 1000) for i in range(2000)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(Embedded(tmp_path, create=True)) as keys:
        with keys.writing() as batch:
            batch.put(entries[:50])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
        try:
            with pytest.raises(RedressError, match="got a full disk"), keys.writing() as batch:
                batch.put(entries)
            assert everything(keys) == entries[:50]
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with keys.writing() as batch:
            batch.put(entries)
        assert everything(keys) == entries


def test_other_files_and_two_ways_to_write_one_directory_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"other" * 5000)
    with pytest.raises(RedressError, match="want a store, got something else"):
        opened(tmp_path)
    with pytest.raises(RedressError, match="want a directory for the store"):
        opened(tmp_path / "data.mdb", create=True)
    with closing(opened(tmp_path / "keys", create=True)), pytest.raises(RedressError, match="use two directories"):
        opened(tmp_path / "keys", durable=False)


def test_a_server_that_went_away_gets_a_sentence_without_password_and_is_found_again(postgres: Server) -> None:
    with closing(opened(postgres.empty(), create=True)) as keys:
        with keys.writing() as batch:
            batch.put([(b"k", b"v")])
        postgres.stop("immediate")
        try:
            for _ in range(2):
                with pytest.raises(RedressError, match="want a server that answers") as told, keys.reading() as view:
                    view.many([b"k"])
                assert "secret" not in str(told.value)
                assert "127.0.0.1/test_" in str(told.value)
            with pytest.raises(RedressError, match="want a server that answers"), keys.writing() as batch:
                batch.put([(b"l", b"")])
        finally:
            postgres.start()
        assert everything(keys) == [(b"k", b"v")]
        with keys.writing() as batch:
            batch.put([(b"l", b"v")])
        for call in (put, tried):
            with pytest.raises(RedressError, match="want a server that answers"):
                interrupted(keys, postgres, call)
        assert everything(keys) == [(b"k", b"v"), (b"l", b"v")]


def interrupted(keys: Keys, server: Server, call: Callable[[Batch], object]) -> None:
    with keys.writing() as batch:
        batch.put([(b"half", b"v")])
        assert batch.many([b"half"]) == [b"v"]
        server.stop("fast")
        server.start()
        call(batch)


def put(batch: Batch) -> None:
    batch.put([(b"whole", b"v")])


def tried(batch: Batch) -> None:
    """Asks, and goes on where there is no answer."""
    with suppress(Exception):
        batch.many([b"half"])


def test_an_address_that_is_none_gets_a_sentence() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(RedressError, match="want postgresql://HOST/DATABASE"):
        opened("postgresql://host:port:1/x?y")
