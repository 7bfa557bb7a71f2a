"""Errors on their way from rank to rank."""

import json

import pytest

from fastcache import errors
from fastcache.errors import (
    ArgumentError,
    BlockError,
    BudgetError,
    DecodeError,
    FastcacheError,
    PeerError,
)
from fastcache.fill.ranks.told_errors import tell, told
from fastcache.memory.rendezvous import MESSAGE_BYTES

OURS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, FastcacheError)
]
MADE = {
    BudgetError: BudgetError("too much", 10, 5, "budget=5"),
    BlockError: BlockError(12, "no memory"),
    DecodeError: DecodeError("2 of 3", [("a.jpg", "broken"), ("\udc80.jpg", "é")]),
    PeerError: PeerError("gone", 17),
}


def sent(error):
    """Return what another rank makes of an error."""
    return told(json.loads(json.dumps(tell(error))), "rank 1 (process 7)", 7)


@pytest.mark.parametrize("kind", OURS)
def test_our_errors_arrive_as_they_were(kind):
    error = MADE.get(kind) or kind("what is needed, and what there is")
    arrived = sent(error)
    assert type(arrived) is kind
    assert str(arrived) == str(error)
    assert vars(arrived) == vars(error)
    assert getattr(arrived, "errno", None) == getattr(error, "errno", None)


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("x"), OSError(2, "none")])
def test_other_errors_arrive_as_their_text(error):
    arrived = sent(error)
    assert type(arrived) is PeerError
    assert arrived.pid == 7
    assert str(arrived) == f"rank 1 (process 7) failed: {type(error).__name__}: {error}"


def test_an_interrupted_rank():
    assert str(sent(KeyboardInterrupt())) == "rank 1 (process 7) was interrupted"


def test_an_error_that_only_has_one_of_our_names():
    class BudgetError(Exception):
        pass

    assert type(sent(BudgetError("x"))) is PeerError


def test_arguments_that_json_cannot_say():
    arrived = sent(ArgumentError(object()))
    assert type(arrived) is PeerError
    assert "ArgumentError: <object object" in str(arrived)


@pytest.mark.parametrize("character", ["a", "\u6f22", "\U0001f600", "\udc80", '"'])
def test_what_no_message_has_room_for_is_cut(character):
    """By bytes: in JSON a character is up to 12 of them."""
    name = character * 1300
    error = DecodeError("many", [(f"{i}{name}", "broken") for i in range(30_000)])
    text = json.dumps({**tell(error), "descriptors": 0}).encode()
    assert MESSAGE_BYTES // 4 < len(text) < MESSAGE_BYTES
    arrived = sent(error)
    assert str(arrived) == "many"
    assert 500 < len(arrived.failed) < 30_000
    assert arrived.failed == error.failed[: len(arrived.failed)]


def test_short_entries_travel_all():
    error = DecodeError("many", [(str(i), "broken") for i in range(30_000)])
    assert sent(error).failed == error.failed


@pytest.mark.parametrize("error", [DecodeError, ArgumentError, ValueError])
def test_a_long_text_is_cut(error):
    text = "\U0001f600" * (4 << 20)
    told_of = tell(error(text))
    assert len(json.dumps({**told_of, "descriptors": 0}).encode()) < MESSAGE_BYTES
    assert text[:1000] in str(sent(error(text)))


@pytest.mark.parametrize(
    "message",
    [
        {"type": "SystemExit", "arguments": [3]},
        {"type": "Exception", "arguments": ["x"]},
        {"type": "Sequence", "arguments": []},
        {"type": "__builtins__", "arguments": []},
        {"type": "BudgetError", "arguments": ["too few"]},
        {"type": "DecodeError", "arguments": [1, 2, 3, 4, 5]},
        {"type": "DecodeError", "arguments": {"message": "x"}},
        {"type": ["BudgetError"], "arguments": None},
        {"type": None},
        {},
    ],
)
def test_what_is_no_error_of_ours_becomes_a_peer_error(message):
    assert type(told({"kind": "error", **message}, "rank 1", 7)) is PeerError
