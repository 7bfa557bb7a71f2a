"""What is tested here needs torch: where it is not installed, each file says so and is skipped."""

from importlib.util import find_spec

import pytest


class NeedsTorch(pytest.Module):
    """A test file that is not imported."""

    def collect(self):
        pytest.skip("needs torch", allow_module_level=True)


def pytest_pycollect_makemodule(module_path, parent):
    if find_spec("torch") is None:
        return NeedsTorch.from_parent(parent, path=module_path)
    return None
