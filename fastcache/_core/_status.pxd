"""The one place where a status of the C core becomes an exception."""

from fastcache._core cimport _capi


cdef inline str describe_status(int status, int detail):
    """English text of a status with its detail."""
    cdef char text[256]
    return _capi.fc_describe(status, detail, text, sizeof(text)).decode("utf-8", "replace")


cdef inline int raise_for_status(int status, int detail, object doing) except -1:
    """Do nothing for FC_OK, else raise what fits; `doing` says what was attempted.

    The call that sets `detail` is a statement before: C reads arguments in any order.
    Called with the GIL, after the nogil block. Only failures pay for the imports.
    """
    if status == _capi.FC_OK:
        return 0

    import errno
    import os

    from fastcache.errors import ArgumentError, BlockError, DecodeError

    if status == _capi.FC_E_IO:  # of memory and mappings: no file was read
        raise BlockError(detail, f"{doing}: {os.strerror(detail)}")
    text = f"{doing}: {describe_status(status, detail)}"
    if status == _capi.FC_E_ARGUMENT:
        raise ArgumentError(text)
    if status == _capi.FC_E_NOMEM:
        raise BlockError(errno.ENOMEM, text)
    raise DecodeError(text)
