"""Under which names the ranks of a node meet, and whether one has come to none of the others'."""

import logging
import socket
import threading
from collections import Counter

from fastcache.memory.local_ranks import SWITCH, LocalRanks, names_in_use, socket_name

_log = logging.getLogger("fastcache")

_lock = threading.Lock()
_asked: Counter[str] = Counter()  # how often this process has asked for each arena
_names: set[bytes] = set()  # under which it has asked
_warned: set[bytes] = set()  # the runs of which that was said


def next_name(ranks: LocalRanks, content: str) -> bytes:
    """Return the name under which this request meets the others' requests for the same content.

    The first one meets their first ones, the second their second ones.
    """
    with _lock:
        name = socket_name(ranks.run, content, str(_asked[content]))
        _asked[content] += 1
        _names.add(name)
        return name


def warn_if_apart(listener: socket.socket, ranks: LocalRanks) -> None:
    """Warn, once in a process, if an arena that nobody came to was perhaps meant to be shared.

    That is so where other processes of the run have, or fill, one that this process never asked
    for.

    Parameters
    ----------
    listener : socket
        Of the arena that was filled alone.
    ranks : LocalRanks
    """
    run, _, _ = bytes(listener.getsockname()).rpartition(b"-")
    others = names_in_use(run + b"-")
    with _lock:
        apart = bool(others - _names) and run not in _warned
        if apart:
            _warned.add(run)
    if apart:
        _log.warning(
            "rank %s has filled an arena alone, and another rank of this node has one that this "
            "rank has not asked for. Ranks share an arena only if they give the same source, "
            "store, on_error, limit and the like. If each is to have its own, %s=0 in the "
            "environment says so",
            ranks.rank,
            SWITCH,
        )
