"""Errors as ranks tell them one another: by name and arguments, in JSON."""

import json
from typing import Any

from fastcache import errors
from fastcache.errors import FastcacheError, PeerError

_LISTED = 10_000  # entries of a list, such as a DecodeError's, that travel


def tell(error: BaseException) -> dict[str, Any]:
    """Return what :func:`told` turns into the same error.

    A list in it ends after 10,000 entries; errors that are not fastcache's own travel as text.
    """
    name = type(error).__name__
    message: dict[str, Any] = {"kind": "error", "type": name, "text": str(error), "arguments": None}
    if isinstance(error, FastcacheError) and getattr(errors, name, None) is type(error):
        arguments = error.__reduce__()[1]
        assert isinstance(arguments, tuple)
        cut = [each[:_LISTED] if isinstance(each, list) else each for each in arguments]
        try:
            json.dumps(cut)
        except TypeError:  # the text must do
            return message
        message["arguments"] = cut
    return message


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
