"""Flat graphics as a computer draws them: windows, diagrams and text, each from a number."""

import random
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFont

_WORDS = (
    "file edit view open save copy paste undo search filter value total error warning ready",
    "north south width height 0 1 2 3 17 42 256 1024 % kB ms x y z alpha beta sum mean run stop",
)
_SIDES = range(320, 1281, 16)
Colour = tuple[int, ...]


class _Sheet:
    """A page in the making; every choice comes from its own random numbers."""

    def __init__(self, seed: int, mode: str) -> None:
        self.rng = random.Random(f"{mode} {seed}")
        self.width, self.height = self.rng.choice(_SIDES), self.rng.choice(_SIDES)
        self.mode = mode
        # Few colours, used again and again: that is what makes such files compress.
        self.palette = [self._new_colour() for _ in range(8)]
        paper = (0, 0, 0, 0) if mode == "RGBA" else self.palette[0]
        self.image = Image.new(mode, (self.width, self.height), paper)
        self.draw = ImageDraw.Draw(self.image)

    def _new_colour(self) -> Colour:
        colour = tuple(self.rng.choice((0, 32, 64, 96, 160, 192, 224, 255)) for _ in range(3))
        opacity = self.rng.choice((64, 128, 255, 255, 255))
        return (*colour, opacity) if self.mode == "RGBA" else colour

    def colour(self) -> Colour:
        return self.rng.choice(self.palette)

    def box(self, largest: float) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom) of a rectangle up to that share of the sides."""
        wide = self.rng.randint(8, max(9, int(self.width * largest)))
        high = self.rng.randint(8, max(9, int(self.height * largest)))
        left = self.rng.randint(0, self.width - 9)
        top = self.rng.randint(0, self.height - 9)
        return left, top, min(left + wide, self.width - 1), min(top + high, self.height - 1)

    def window(self) -> None:
        """Draw a frame with a title bar and rows of buttons."""
        left, top, right, bottom = box = self.box(0.6)
        self.draw.rectangle(box, fill=self.colour(), outline=self.colour(), width=2)
        bar = min(top + 24, bottom)
        self.draw.rectangle((left, top, right, bar), fill=self.colour())
        for y in range(bar + 8, bottom - 20, 28):
            for x in range(left + 8, right - 60, 72):
                self.draw.rounded_rectangle((x, y, x + 60, y + 20), 5, fill=self.colour())

    def text(self) -> None:
        """Write lines of words, smooth-edged as on a screen."""
        left, top, right, bottom = self.box(0.7)
        size = self.rng.choice((11, 13, 16, 24))
        font, ink = ImageFont.load_default(size), self.colour()
        words = " ".join(_WORDS).split()
        for y in range(top, bottom - size, size * 3 // 2):
            line = " ".join(self.rng.choice(words) for _ in range(1 + (right - left) // (4 * size)))
            self.draw.text((left, y), line, fill=ink, font=font)

    def diagram(self) -> None:
        """Draw axes, a grid, a curve and a pie."""
        left, top, right, bottom = self.box(0.5)
        ink = self.colour()
        for x in range(left, right, 20):
            self.draw.line((x, top, x, bottom), fill=self.palette[1])
        points = [(x, self.rng.randint(top, bottom)) for x in range(left, right, 12)]
        self.draw.line(points, fill=ink, width=self.rng.randint(1, 4))
        self.draw.line((left, top, left, bottom, right, bottom), fill=ink, width=2)
        side = min(right - left, bottom - top)
        turn = self.rng.randint(0, 360)
        disc = (left, top, left + side, top + side)
        self.draw.pieslice(disc, turn, turn + self.rng.randint(20, 300), fill=self.colour())

    def gradient(self) -> None:
        """Fill a box with a slope between two colours, opacity included."""
        left, top, right, bottom = self.box(0.4)
        size = (right - left, bottom - top)
        slope = Image.linear_gradient("L")
        if self.rng.random() < 0.5:
            slope = slope.transpose(Image.Transpose.ROTATE_90)
        mask = slope.resize(size, Image.Resampling.BILINEAR)
        filled = Image.new(self.mode, size, self.colour())
        filled.paste(Image.new(self.mode, size, self.colour()), mask=mask)
        self.image.paste(filled, (left, top))


def draw(seed: int, mode: str) -> Image.Image:
    """Return drawing number `seed`, of mode RGB or RGBA.

    The sheet is the same for the same number, mode and Pillow.
    """
    sheet = _Sheet(seed, mode)
    steps: tuple[Callable[[], None], ...] = (
        sheet.window, sheet.window, sheet.text, sheet.text, sheet.diagram, sheet.gradient,
    )  # fmt: skip
    for _ in range(sheet.rng.randint(6, 16)):
        sheet.rng.choice(steps)()
    return sheet.image
