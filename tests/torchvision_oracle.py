"""torchvision as an oracle, importable beside a torch build that its binary part does not fit.

torchvision's Python part is all that the tests need. At import it looks up operators that only its
compiled part registers; registering their signatures first, without code, lets the import pass.
"""

from types import ModuleType

import pytest

_SIGNATURES = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[object] = []  # operators live as long as the library object that defined them


def torchvision() -> ModuleType:
    """Return torchvision; skip the test, or the module, with the reason, where it is not there."""
    torch = pytest.importorskip("torch")
    try:
        import torchvision
    except ImportError as error:
        pytest.skip(f"torchvision, the oracle, is not installed: {error}", allow_module_level=True)
    except RuntimeError:
        _define_operators(torch)
        import torchvision
    import torchvision.datasets
    import torchvision.transforms.v2

    return torchvision


def _define_operators(torch: ModuleType) -> None:
    if _libraries:
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for signature in _SIGNATURES.values():
        library.define(signature)
    _libraries.append(library)
