"""A block of shared memory as a Python object with the buffer protocol."""

import errno
import sys

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t, uint64_t

from fastcache._core cimport _capi
from fastcache._core._status cimport raise_for_status

from fastcache.errors import ArgumentError, BlockError, ClosedError

_ADVICE = {
    "willneed": _capi.FC_WILLNEED,
    "dontneed": _capi.FC_DONTNEED,
    "cold": _capi.FC_COLD,
    "pageout": _capi.FC_PAGEOUT,
    "random": _capi.FC_RANDOM,
    "normal": _capi.FC_NORMAL,
}


cdef int _check_size(object size) except -1:
    """Refuse what is no size: C counts bytes in a `size_t`, and mappings in less."""
    if not 0 < size <= sys.maxsize:
        raise ArgumentError(f"a block of {size} bytes: give 1 to {sys.maxsize}")
    return 0


cdef class Block:
    """A range of shared memory, the only owner of its mapping.

    `Block.create` reserves one, and `allocate` gives it memory, all of it before the first byte is
    written; `Block.open` maps another process's, `Block.adopt` does so for writing.
    `Block.reserve` takes addresses alone, and `map_file` puts parts of files there. Anything that
    takes a buffer takes a block.
    While such a buffer is held the block cannot be closed or sealed: both would pull memory from
    under it. A child of fork has a mapping of its own, and closing that does not touch the
    parent's.
    """

    cdef _capi.fc_block block
    cdef Py_ssize_t exports
    cdef readonly uint64_t inode
    cdef object __weakref__

    def __cinit__(self):
        self.block.data = NULL
        self.block.fd = -1

    def __init__(self):
        raise ArgumentError("make a block with Block.create, Block.open or Block.reserve")

    def __dealloc__(self):
        _capi.fc_block_close(&self.block)

    @staticmethod
    def create(size, str name="fastcache"):
        """Reserve `size` bytes (rounded up to pages), all zeros; `allocate` makes them memory."""
        _check_size(size)
        cdef Block self = Block.__new__(Block)
        cdef bytes label = name.encode()
        cdef const char *text = label
        cdef size_t wanted = size
        cdef int detail = 0
        cdef _capi.fc_status status
        with nogil:
            status = _capi.fc_block_create(&self.block, wanted, text, &detail)
        raise_for_status(status, detail, f"reserving {size} bytes of shared memory")
        self.inode = _capi.fc_block_inode(&self.block)
        return self

    @staticmethod
    def open(str path, uint64_t inode, size):
        """Map another process's block read-only; one that is not the same any more is refused."""
        _check_size(size)
        cdef Block self = Block.__new__(Block)
        cdef bytes label = path.encode()
        cdef const char *text = label
        cdef size_t wanted = size
        cdef int detail = 0
        cdef _capi.fc_status status
        with nogil:
            status = _capi.fc_block_open(&self.block, text, inode, wanted, &detail)
        if status == _capi.FC_E_CHANGED:
            raise BlockError(errno.ESTALE, f"{path} is not the block it was")
        raise_for_status(status, detail, f"mapping {path}")
        self.inode = inode
        return self

    @staticmethod
    def adopt(int fd, uint64_t inode, size):
        """Map the block of a descriptor for writing; the descriptor stays the caller's."""
        _check_size(size)
        cdef Block self = Block.__new__(Block)
        cdef int detail = 0
        cdef _capi.fc_status status = _capi.fc_block_adopt(&self.block, fd, inode, size, &detail)
        if status == _capi.FC_E_CHANGED:
            raise BlockError(errno.ESTALE, f"descriptor {fd} is not the block it should be")
        raise_for_status(status, detail, f"mapping {size} bytes of shared memory for writing")
        self.inode = inode
        return self

    @staticmethod
    def reserve(size):
        """Take `size` bytes of addresses (rounded up to pages), for `map_file`."""
        _check_size(size)
        cdef Block self = Block.__new__(Block)
        cdef int detail = 0
        cdef _capi.fc_status status = _capi.fc_block_reserve(&self.block, size, &detail)
        raise_for_status(status, detail, f"reserving {size} bytes of addresses")
        return self

    @property
    def size(self):
        """Bytes of the mapping, a multiple of the page size; 0 when closed."""
        return self.block.size

    @property
    def fd(self):
        """File descriptor; -1 when closed, or made of files."""
        return self.block.fd

    @property
    def address(self):
        """Address of the first byte; 0 when closed."""
        return <size_t> self.block.data

    @property
    def owner(self):
        """Whether the block was created here (or in an ancestor before fork), not opened."""
        return bool(self.block.owner)

    @property
    def sealed(self):
        """Whether this mapping is read-only."""
        return bool(self.block.sealed)

    @property
    def closed(self):
        """Whether the memory has been given back."""
        return self.block.data == NULL

    cdef int _check_open(self) except -1:
        if self.block.data == NULL:
            raise ClosedError("the block is closed")
        return 0

    cdef int _check_unused(self, str verb) except -1:
        if self.exports:
            raise BufferError(f"{self.exports} buffer(s) still use the block: "
                              f"drop the arrays over it before {verb} it")
        return 0

    def allocate(self, size_t offset, size_t size):
        """Give the pages of a range memory; runs without the GIL.

        For large blocks call it from several threads, each with a range of its own.
        """
        cdef int detail = 0
        cdef _capi.fc_status status
        self._check_open()
        if self.block.sealed:
            raise ArgumentError("the block is read-only: nothing can be allocated any more")
        self.exports += 1  # nobody may unmap it meanwhile
        with nogil:
            status = _capi.fc_block_allocate(&self.block, offset, size, &detail)
        self.exports -= 1
        raise_for_status(status, detail, f"allocating {size} bytes at {offset} of a block of "
                                         f"{self.block.size}")

    def map_file(self, size_t at, int fd, size_t file_offset, size_t length):
        """Map a part of a file into a reserved block, read-only; all in whole pages.

        Bytes that were never mapped must not be touched. The descriptor may be closed afterwards.
        """
        cdef int detail = 0
        cdef _capi.fc_status status
        self._check_open()
        self._check_unused("mapping files into")
        doing = f"mapping bytes {file_offset}..{file_offset + length} of a file"
        status = _capi.fc_block_map_file(&self.block, at, fd, file_offset, length, &detail)
        if status == _capi.FC_E_CHANGED:
            raise BlockError(errno.ESTALE, f"{doing}: it is shorter")
        if status == _capi.FC_E_NOT_REGULAR:
            raise BlockError(errno.EINVAL, f"{doing}: it is not a regular file")
        if status == _capi.FC_E_IO:
            _capi.fc_block_close(&self.block)  # others may get the addresses: nothing is ours now
        raise_for_status(status, detail, doing)

    def advise(self, const int64_t[::1] offsets, const int64_t[::1] lengths, str advice):
        """Tell the kernel what will become of ranges; runs without the GIL.

        "willneed": they will be read. "dontneed": their pages are unmapped here. "cold": these are
        the first to go when memory is short. "pageout": they go now, out of the system's cache too
        unless other processes map them, or the files are another user's. "random": of what is
        missed nothing around is read with it. "normal" takes that back.
        """
        cdef int detail = 0
        cdef _capi.fc_status status
        self._check_open()
        if advice not in _ADVICE:
            raise ArgumentError(f"advice={advice!r}: give {', '.join(map(repr, _ADVICE))}")
        if offsets.shape[0] != lengths.shape[0]:
            raise ArgumentError(f"{offsets.shape[0]} offsets, but {lengths.shape[0]} lengths")
        cdef _capi.fc_advice kind = _ADVICE[advice]
        cdef size_t count = offsets.shape[0]
        if count == 0:
            return
        self.exports += 1  # nobody may unmap it meanwhile
        with nogil:
            status = _capi.fc_block_advise(&self.block, &offsets[0], &lengths[0], count, kind,
                                           &detail)
        self.exports -= 1
        raise_for_status(status, detail, f"advising {count} ranges of a block of "
                                         f"{self.block.size}: {advice}")

    def seal(self):
        """Make the mapping read-only for good."""
        cdef int detail = 0
        cdef _capi.fc_status status
        self._check_open()
        if not self.block.sealed:
            self._check_unused("sealing")
            status = _capi.fc_block_seal(&self.block, &detail)
            raise_for_status(status, detail, "making a block read-only")

    def close(self):
        """Give the memory back; a second call does nothing."""
        cdef _capi.fc_block block = self.block
        self._check_unused("closing")
        self.block.data = NULL
        self.block.size = 0
        self.block.fd = -1
        with nogil:  # unmapping a large block takes a while
            _capi.fc_block_close(&block)

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self._check_open()
        PyBuffer_FillInfo(buffer, self, self.block.data, <Py_ssize_t> self.block.size,
                          self.block.sealed, flags)
        self.exports += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.exports -= 1

    def __reduce__(self):
        raise ArgumentError("a block cannot be pickled: pickle the arena that owns it")
