"""Which ranks share this machine, as the launcher says in the environment."""

import hashlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from fastcache.errors import ArgumentError

SWITCH = "FASTCACHE_SHARE"  # environment variable; 0: every rank has an arena of its own

_RUN = ("TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "MASTER_ADDR", "MASTER_PORT")


class LocalRanks(NamedTuple):
    """What the launcher (torchrun) says of the ranks on this machine.

    Attributes
    ----------
    world : int
        Their number, at least 2.
    rank : str
        Which of them this process is; "?" if it is not said.
    run : tuple of str
        What tells this run of the program from others on the machine.
    """

    world: int
    rank: str
    run: tuple[str, ...]


def local_ranks(environment: Mapping[str, str] | None = None) -> LocalRanks | None:
    """Return what is known of the ranks here; None if there is one, or they are not to share.

    Raises
    ------
    ArgumentError
        If a variable of the environment has a value that means nothing.
    """
    known = os.environ if environment is None else environment
    switch = known.get(SWITCH, "1")
    if switch not in ("0", "1"):
        raise ArgumentError(f"{SWITCH}={switch!r} in the environment: give 0 or 1")
    told = known.get("LOCAL_WORLD_SIZE", "1")
    if not told.isdecimal() or int(told) < 1:
        raise ArgumentError(f"LOCAL_WORLD_SIZE={told!r} in the environment is no number of ranks")
    if switch == "0" or int(told) == 1 or not sys.platform.startswith("linux"):
        return None
    run = tuple(known.get(name, "") for name in _RUN)
    return LocalRanks(int(told), known.get("LOCAL_RANK", "?"), run)


def socket_name(run: Sequence[str], *parts: str) -> bytes:
    """Return the abstract name that follows from some texts, for this user.

    Names of one run begin alike, up to the last hyphen.
    """
    return f"\0fastcache-{_digest(os.geteuid(), *run)}-{_digest(*parts)}".encode()


def _digest(*parts: str | int) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]


def names_in_use(prefix: bytes) -> set[bytes]:
    """Return the abstract names that begin so; none where the system does not tell."""
    try:
        table = Path("/proc/net/unix").read_bytes()
    except OSError:  # it only serves to warn
        return set()
    last = (line.rpartition(b" ")[2] for line in table.splitlines())
    names = {b"\0" + name[1:] for name in last if name.startswith(b"@")}
    return {name for name in names if name.startswith(prefix)}
