"""Share of an epoch of ResNet-18 in float16 in which the training loop waits for data.

The loop waits for the device at each step, so that waiting for data is not hidden behind work that
was only asked for: `waited` is in per cent of the loop's seconds, by the loader's own stats.
"""

from cuda_device import cuda_device
from handing import SIDE, order_of
from recipes import loader_of, open_recipe, steps
from resnet import resnet18
from serve import Result, Round, Settings, serve, timed


def prepare(settings: Settings) -> Round:
    device = cuda_device()
    import torch

    dataset = open_recipe(settings, steps(settings.options["output"]))
    loader = loader_of(
        dataset, settings, order_of(len(dataset), settings.rows), device=device, prefetch_factor=4
    )
    model = resnet18(classes=1000).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    scaler = torch.amp.GradScaler()

    def epoch() -> int:
        seen = 0
        for images, labels in loader:
            with torch.autocast("cuda", dtype=torch.float16):
                loss = torch.nn.functional.cross_entropy(model(images), labels)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            torch.cuda.synchronize(device)
            seen += len(images)
        return seen

    def one_round() -> Result:
        items, seconds = timed(epoch)
        waited = 100 * loader.stats().waited_share
        return {"seconds": seconds, "items": items, "waited": waited, "side": SIDE}

    return one_round


if __name__ == "__main__":
    serve(prepare, package="fastcache")
