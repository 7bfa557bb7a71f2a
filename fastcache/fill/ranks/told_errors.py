"""Errors as ranks tell them one another: by name and arguments, in JSON."""

import json
from collections.abc import Iterator
from typing import Any

from fastcache import errors
from fastcache.errors import FastcacheError, PeerError
from fastcache.memory.rendezvous import MESSAGE_BYTES

_LISTED_BYTES = MESSAGE_BYTES // 2  # of a list, such as a DecodeError's, that travel
_CHARACTERS = 1 << 16  # of a text that travel; each is up to 12 bytes in JSON


def tell(error: BaseException) -> dict[str, Any]:
    """Return what :func:`told` turns into the same error.

    What is too long for a message is cut: a list to its first entries, a text to its first
    characters. Errors that are not fastcache's own travel as text.
    """
    name, text = type(error).__name__, str(error)[:_CHARACTERS]
    message: dict[str, Any] = {"kind": "error", "type": name, "text": text, "arguments": None}
    if isinstance(error, FastcacheError) and getattr(errors, name, None) is type(error):
        arguments = error.__reduce__()[1]
        assert isinstance(arguments, tuple)
        try:
            cut = [_cut(each) for each in arguments]
            json.dumps(cut)
        except TypeError:  # the text must do
            return message
        message["arguments"] = cut
    return message


def _cut(argument: Any) -> Any:
    """Return as much of an argument as a message has room for."""
    if isinstance(argument, str):
        return argument[:_CHARACTERS]
    return list(_first(argument)) if isinstance(argument, list) else argument


def _first(entries: list[Any]) -> Iterator[Any]:
    """Yield the first entries of a list."""
    size = 0
    for entry in entries:
        size += len(json.dumps(entry)) + len(", ")
        if size > _LISTED_BYTES:
            return
        yield entry


def told(message: dict[str, Any], who: str, pid: int) -> BaseException:
    """Return the error that another rank has told of: of the same type, with the same message.

    Parameters
    ----------
    message : dict
        As it came from another process: anything may stand there.
    who : str
        That rank in words, for errors that are not fastcache's own, which become a PeerError.
    pid : int
    """
    kind = getattr(errors, str(message.get("type")), None)
    arguments = message.get("arguments")
    if isinstance(kind, type) and issubclass(kind, FastcacheError) and isinstance(arguments, list):
        try:
            return kind(*map(_pairs, arguments))
        except (TypeError, ValueError):  # arguments of another version: the text must do
            return PeerError(f"{who} failed: {message.get('type')}: {message.get('text')}", pid)
    if message.get("type") == "KeyboardInterrupt":
        return PeerError(f"{who} was interrupted", pid)
    return PeerError(f"{who} failed: {message.get('type')}: {message.get('text')}", pid)


def _pairs(argument: Any) -> Any:
    """Return an argument with the pairs that JSON has made lists of."""
    if not isinstance(argument, list):
        return argument
    return [tuple(each) if isinstance(each, list) else each for each in argument]
