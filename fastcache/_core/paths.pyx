"""Paths of many files in one buffer, as C reads them."""

from libc.stdint cimport int64_t, uint8_t

from fastcache._core cimport _capi

import os

from fastcache.errors import ArgumentError


cdef class Paths:
    """Paths, NUL-terminated in one buffer."""

    def __init__(self, paths, int64_t[::1] offset):
        """Take `paths` in, and an int64 array of the same length that is filled with offsets."""
        encoded = [os.fsencode(path) for path in paths]
        if offset.shape[0] != len(encoded):
            raise ArgumentError(f"{len(encoded)} paths but room for {offset.shape[0]} offsets")
        cdef int64_t at = 0
        cdef Py_ssize_t i
        for i, path in enumerate(encoded):
            if b"\0" in path:
                raise ArgumentError(f"path {os.fsdecode(path)!r} contains a NUL character")
            offset[i] = at
            at += len(path) + 1
        encoded.append(b"")
        self.text = b"\0".join(encoded) or b"\0"
        self.offset = offset
        self.count = offset.shape[0]

    @staticmethod
    def packed(const uint8_t[::1] text, int64_t[::1] offset):
        """Return paths that lie in memory already, such as another process has packed them."""
        cdef Paths self = Paths.__new__(Paths)
        cdef int64_t at
        if text.shape[0] == 0 or text[text.shape[0] - 1] != 0:
            raise ArgumentError("packed paths must end with a NUL character")
        for at in offset:
            if not 0 <= at < text.shape[0]:
                raise ArgumentError(f"a path begins at {at} of {text.shape[0]} bytes")
        self.text = text
        self.offset = offset
        self.count = offset.shape[0]
        return self

    def split(self):
        """Return the paths as a list of bytes."""
        whole = bytes(self.text)
        return [whole[at:whole.index(0, at)] for at in self.offset]

    cdef _capi.fc_paths view(self):
        cdef _capi.fc_paths paths
        paths.text = <const char *> &self.text[0]
        paths.offset = &self.offset[0] if self.count else NULL
        return paths
