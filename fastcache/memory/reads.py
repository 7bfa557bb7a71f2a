"""What this process had to read from disks so far, as the system counts it."""

import sys

if sys.platform != "win32":
    import resource


def pages_read() -> int | None:
    """Return a number that grows whenever something is read; None where the system has none.

    What the process asked for ahead counts, and so do pages that it had to wait for.
    """
    if sys.platform == "win32":
        return None
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_inblock + usage.ru_majflt
