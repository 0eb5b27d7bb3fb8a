from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.core import record
from realtime.core.model import Change, Profile
from tests.changes import COLUMNS, gone, ranked, renamed

seqs = st.integers(0, 2**64 - 1)


@st.composite
def versions(draw: st.DrawFn) -> list[Change]:
    """Deliveries about one player: under one seq there is only ever one content, as the store has it."""
    entries = {seq: draw(st.binary(max_size=40)) for seq in draw(st.lists(st.integers(0, 4), min_size=1))}
    profiles = {seq: draw(st.binary(max_size=9)) for seq in draw(st.lists(st.integers(0, 4), min_size=1))}
    pairs = st.tuples(st.sampled_from(sorted(entries)), st.sampled_from(sorted(profiles)))
    return [
        Change("ada", seq, entries[seq], profile_seq, profiles[profile_seq], entries[seq][::-1])
        for seq, profile_seq in draw(st.lists(pairs, min_size=3, max_size=3))
    ]


@given(versions())
def test_merging_is_commutative_associative_and_idempotent(changes: list[Change]) -> None:
    one, two, three = changes
    assert record.merge(one, two) == record.merge(two, one)
    assert record.merge(record.merge(one, two), three) == record.merge(one, record.merge(two, three))
    assert record.merge(one, one) == one
    assert record.merge(record.merge(one, two), two) == record.merge(one, two)


def test_entry_and_profile_are_merged_each_by_its_own_seq() -> None:
    scored = ranked("ada", 3, seq=5, metadata=b"{}")
    named = renamed("ada", profile_seq=7, name="Ada")
    merged = record.merge(scored, named)
    assert (merged.seq, merged.key, merged.metadata) == (5, scored.key, b"{}")
    assert (merged.profile_seq, merged.display) == (7, named.display)
    assert record.merge(merged, gone("ada", seq=6)) == Change("ada", 6, b"", 7, named.display)


@given(seqs, seqs, st.binary(max_size=40), st.binary(max_size=300), st.binary(max_size=300))
def test_a_record_is_unpacked_as_it_was_packed(
    seq: int, profile_seq: int, key: bytes, display: bytes, metadata: bytes
) -> None:
    change = Change("ada", seq, key, profile_seq, display, metadata)
    assert record.unpack("ada", record.pack(change)) == change


def test_the_layout_is_the_one_the_scripts_read() -> None:
    assert record.pack(Change("ada", 1, b"KEY", 2, b"{}", b"META")) == (
        bytes.fromhex("0000000000000001 0000000000000002 03 0002") + b"KEY{}META"
    )


def test_a_display_leaves_out_what_was_never_set() -> None:
    assert record.display(Profile()) == record.NO_DISPLAY
    assert record.display(Profile("Ada", None, "a.png")) == b'{"name":"Ada","picture":"a.png"}'


def test_a_row_is_shown_by_its_display_and_by_id_without_a_name() -> None:
    change = ranked("ada", 3, 7, seq=5)
    plain = record.row(COLUMNS, "ada", change.key, record.NO_DISPLAY)
    assert (plain.player, plain.score, plain.seq, plain.name, plain.country) == ("ada", (3, 7), 5, "ada", None)
    shown = record.row(COLUMNS, "ada", change.key, b'{"country":"GB"}')
    assert (shown.name, shown.country, shown.picture) == ("ada", "GB", None)
    assert record.row(COLUMNS, "ada", change.key, b'{"name":"\xc3\x84da"}').name == "Äda"


def test_text_and_bytes_are_the_same_kind_to_the_scripts() -> None:
    assert record.unpack_array(record.pack_array(["ä", b"\xff", 2**53, -1, [1, []]])) == (
        "ä".encode(),
        b"\xff",
        2**53,
        -1,
        (1, ()),
    )


def test_rows_that_come_again_are_made_once() -> None:
    change = ranked("ada", 3, 7, seq=5)
    one = b"ada", change.key, b'{"name":"Ada"}'
    other = b"ada", change.key, b'{"name":"Countess"}'
    rows = record.Rows(COLUMNS)
    assert rows([one, other]) == record.rows(COLUMNS, [one, other])
    assert rows([one])[0] is rows([one])[0]
    assert rows([]) == record.rows(COLUMNS, []) == ()
