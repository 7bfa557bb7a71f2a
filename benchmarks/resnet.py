"""ResNet-18 (He et al., Deep Residual Learning for Image Recognition, 2015), in torch alone."""

from typing import Any


def resnet18(classes: int) -> Any:
    """Return the network: (B, 3, H, W) to (B, classes).

    torchvision has it too, and may not be there, or not fit the torch that is.
    """
    from torch import nn

    class Block(nn.Module):
        """Two 3 x 3 convolutions beside a way around them."""

        def __init__(self, inside: int, outside: int, stride: int) -> None:
            super().__init__()
            self.body = nn.Sequential(
                nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
                nn.BatchNorm2d(outside),
                nn.ReLU(inplace=True),
                nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outside),
            )
            self.around: nn.Module = nn.Identity()
            if stride != 1 or inside != outside:
                self.around = nn.Sequential(
                    nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside)
                )
            self.last = nn.ReLU(inplace=True)

        def forward(self, images: Any) -> Any:
            return self.last(self.body(images) + self.around(images))

    widths = (64, 128, 256, 512)
    blocks = [
        Block(inside, outside, stride)
        for before, outside in zip((64, *widths), widths, strict=False)
        for inside, stride in ((before, 1 if outside == 64 else 2), (outside, 1))
    ]
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, 2, 1),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(512, classes),
    )
