"""What an exception was about, told beside its own message."""


def note(error: BaseException, text: str) -> None:
    """Add a line that Python prints under the error; its type and arguments stay as they are.

    Python 3.10 prints no such lines. They are in ``error.__notes__`` all the same, where pytest
    and the ``exceptiongroup`` package look for them.
    """
    if hasattr(error, "add_note"):
        error.add_note(text)
        return
    notes = getattr(error, "__notes__", None)
    if notes is None:
        notes = error.__notes__ = []
    notes.append(text)
