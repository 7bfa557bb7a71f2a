"""What workers that need a CUDA device share."""

from serve import NotInstalled


def cuda_device() -> str:
    """Return the first CUDA device that torch sees.

    Raises
    ------
    NotInstalled
        torch sees none.
    """
    import torch

    if not torch.cuda.is_available():
        build = torch.version.cuda or "none"
        raise NotInstalled(
            f"a CUDA device that torch sees (torch {torch.__version__}, CUDA of its build: {build})"
        )
    return "cuda:0"
