"""Arenas as files: written whole or not at all, checked when opened, and mapped as they are.

The format is described in docs/arena-format.md: safetensors files and a manifest.
"""

from fastcache.memory.files.cut import plan_files
from fastcache.memory.files.opening import Opened, open_files
from fastcache.memory.files.plan import FilePlan
from fastcache.memory.files.verification import FileCheck, Verification, verify
from fastcache.memory.files.writer import ArenaWriter

__all__ = [
    "ArenaWriter",
    "FileCheck",
    "FilePlan",
    "Opened",
    "Verification",
    "open_files",
    "plan_files",
    "verify",
]
