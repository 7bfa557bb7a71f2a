"""What helps around training: plots. Handed on lazily as ``fastcache.plots`` and so on."""

from fastcache.tools import plots

__all__ = ["plots"]
