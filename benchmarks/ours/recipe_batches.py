"""ArenaLoader over photographs with a recipe; options: ``output``, ``pixels``: see recipes.py."""

from collections.abc import Iterator
from typing import Any

from handing import check_centres, order_of, read_pixels, rounds_of
from recipes import centre, images_of, loader_of, open_recipe, steps
from serve import Round, Settings, serve


def prepare(settings: Settings) -> Round:
    import torch

    torch.set_num_threads(settings.threads)
    output = settings.options["output"]
    if "pixels" in settings.options:
        photos = read_pixels(settings.options["pixels"])
        whole = open_recipe(settings, centre(output))
        centres = loader_of(whole, settings, range(len(photos)), drop_last=False)
        check_centres(images_of(centres), photos)
    dataset = open_recipe(settings, steps(output))
    loader = loader_of(dataset, settings, order_of(len(dataset), settings.rows))

    def epoch() -> Iterator[Any]:
        return images_of(loader)

    return rounds_of(epoch, settings)


if __name__ == "__main__":
    serve(prepare, package="fastcache")
