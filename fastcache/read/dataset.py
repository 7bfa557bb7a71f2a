"""ArenaDataset: the torch Dataset over an arena."""

import os
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Literal

from fastcache.fill.limits import Limits
from fastcache.fill.make import make_arena
from fastcache.fill.options import FillOptions
from fastcache.memory.budget import BudgetLike
from fastcache.read.choices import INPUTS, OUTPUTS, check_choice
from fastcache.read.device.device_home import decoded_only, opened_at, place_of
from fastcache.read.transform_steps import Transform, check_transform
from fastcache.read.view import ArenaView
from fastcache.sources import as_source
from fastcache.sources.base import Source


class ArenaDataset(ArenaView):
    """A map-style Dataset whose samples were decoded once, into one arena.

    Takes the place of ``torchvision.datasets.ImageFolder`` for a folder of class folders, and
    keeps what any other map-style Dataset returns. Use it with a plain
    ``torch.utils.data.DataLoader``: batches are gathered by C threads, without a collate function
    and without worker processes (which work too).

    Parameters
    ----------
    source : path, Source or map-style Dataset
        A folder with one folder of images per class; one of :mod:`fastcache.sources`; or anything
        with ``__getitem__`` and ``__len__``, whose samples are then kept as they are returned:
        nested tuples, lists and dicts of tensors, arrays, PIL images, numbers, strings and None.
    store : operation or list of operations, optional
        Baked into the arena: :mod:`fastcache.transforms`' Resize, CenterCrop, LetterBox and
        ToDtype, which also takes arrays of floats. None keeps original pixels.
    color : {"RGB", "L", "RGBA", "I;16"}, optional
        What images are converted to. None: RGB for files, and as returned for a Dataset's; .npy
        files keep dtype and channels, if all files of the column are such and agree in both.
    exif : {"ignore", "apply"}
        Whether EXIF orientation turns images. ImageFolder ignores it.
    transform : operation, callable, or list of such, optional
        Runs on each read, on the sample's image: its only one, or the one called image or input
        (in samples without images the window of a series, or the array of that description).
        Operations of :mod:`fastcache.transforms`, and torchvision's that mean the same, run in C;
        masks, and images of the target, are moved as the image is. Callables follow in Python.
    transform_input : {"pil", "tensor"}
        Whether callables get PIL images of mode L, RGB, RGBA, I;16 or F, or tensors of shape
        (C, H, W). Arrays, and what operations made numbers of, always arrive as tensors.
    target_transform : callable or list of callables, optional
        Runs on each read, on the label or target: the only other part of the sample, or the one
        called label or target. A target that is an image or a mask arrives in the same form as
        images do.
    output : {"tuple", "dict"}
        "dict" turns samples that are no dicts into ``{column: value}``.
    keep : {"auto", "decoded", "encoded"}
        In which form image files are kept: decoded; encoded, which is as their files are, to be
        decoded on each read; or "auto": all decoded if that fits the budget, else each sample
        decoded, encoded or not at all (its file is read on each use), whichever saves most time
        per byte. What the samples are does not depend on it, only how fast they come.
    home : {"auto", "ram", "disk", "cuda"}
        Where the arena lies: in shared memory, or in files, which may be larger than memory and
        are read through the system's cache. "auto": memory, or `cache_dir` if that is given. "disk"
        without `cache_dir` makes files in the folder for temporary ones, which go with the dataset.
        "cuda" (or "cuda:1") fills it in memory, or in `cache_dir`, and copies images, masks, arrays
        and series into the device's memory, all rows decoded and of one size; batches are gathered
        there, all tensors on the device. `transform` may then be Normalize, ToDtype, Layout and
        flips; worker processes cannot use it.
    budget : int, str, float or Budget, optional
        Most that arena and scratch may take: bytes, a text such as "8GB", a share of what is
        available, or a :class:`fastcache.Budget` that datasets share. None: what is available,
        less a reserve.
    on_error : {"raise", "skip", "fill"}
        What becomes of samples that cannot be read: an error, left out of the dataset, or kept as
        zeros. Both of the latter list them in ``report.failed``.
    limit : int or float, optional
        Take the first n samples, or a share in (0, 1] drawn with `seed`.
    shard : (int, int), optional
        Rank and world: this process keeps its part of the samples that `limit` leaves, drawn with
        `seed`, in an arena of its own. The parts of all ranks have no sample in common and every
        sample between them; their sizes differ by one at most. (Series are kept whole all the same:
        a part is one of their windows.) :class:`fastcache.ArenaSampler` takes equal numbers of
        steps on all ranks. Ranks that need all samples on one machine share one arena instead.
    threads : int, optional
        Threads for filling and for batches. None or -1: every usable core.
    seed : int
        Decides what `limit` and `shard` draw, and with the epoch what `transform` does.
    infer : {"first", "scan"}
        For a wrapped Dataset: whether its first sample tells the types and shapes of all, or each
        is looked at before memory is reserved.
    frozen : bool
        For a wrapped Dataset: keep what it returns even if that changes from call to call, as
        with random augmentation, which then is the same in every epoch.
    parallel : bool
        For a wrapped Dataset: whether it may be read from several threads at once.
    progress : bool or callable, optional
        True shows a bar, None does so in a terminal; a callable is given the state.
    limits : Limits, optional
        How large a file may be, and how long it may take: see :class:`fastcache.Limits`. None: its
        defaults.
    extra_formats : collection of str
        Formats that Pillow may decode beside the usual ones (:func:`fastcache.codecs` lists
        those), by Pillow's names: ``("ICNS",)``. A lone string, or a name that the installed
        Pillow does not have, is an ArgumentError.

    cache_dir : path, optional
        A folder for arenas of files. The arena is built there once, and opened again as long as
        files (paths, sizes, times) and options are the same; if files have changed it is built
        anew, and the reason is logged. Of several processes one builds it. With ``home="ram"`` it
        is read from there into memory. Of a wrapped Dataset only its type, its length, the arrays
        and tensors among its attributes and 16 of its samples are compared: remove the arena
        yourself if others change.

    Attributes
    ----------
    transform, target_transform
        As given; may be assigned at any time.
    recipe
        What C does of `transform`; prints as what runs where, and why. None where C does nothing.
    classes, class_to_idx, samples, imgs, targets, loader, root
        As ImageFolder has them, for a folder of class folders.

    Raises
    ------
    ArgumentError
        A value that cannot be used.
    SourceNotFoundError
        A missing folder, or one without images.
    BudgetError
        The arena does not fit; nothing was allocated.
    DecodeError
        With ``on_error="raise"``, samples that cannot be read.
    PeerError
        Under torchrun: another rank that was filling the same arena ended, or is silent.
    SchemaError, NotFrozenError
        A wrapped Dataset whose samples differ in type, or change from call to call.

    Notes
    -----
    ``ds[i]`` is a sample in the source's structure. Images are tensors of shape (C, H, W): uint8,
    uint16 for "I;16", and the dtypes of .npy files. Masks have shape (H, W), arrays their own;
    numbers, strings and None are themselves. All of it is copied out of the arena and belongs to
    the caller.

    Batches hold images of one size as (B, C, H, W) in channels_last memory order, images and
    arrays of different sizes as lists of B tensors, numbers as int64, float64 or bool tensors of
    shape (B,), strings and None as lists: see :func:`fastcache.collate`. A batch is fresh memory;
    changing it changes nothing else. Samples that are one bare tensor each (files without labels)
    and differ in size need ``collate_fn=fastcache.collate``: torch's own only stacks these.

    Targets with boxes (:class:`~fastcache.sources.Yolo`, :class:`~fastcache.sources.Coco`) are in
    pixels of the image as it is handed out: boxes follow `store`, and the operations of `transform`
    that run in C. A callable that moves pixels leaves them where they are: to turn both, call it on
    whole samples, in a Dataset around this one.

    Under torchrun (``LOCAL_WORLD_SIZE`` above 1) the ranks of a node that ask for the same arena in
    memory get one, which they fill together: the first plans and fills, the others decode with it,
    or get it finished. The same means equal source and arguments, but for `threads`, `progress` and
    what concerns reading; with `shard` each rank has its own. A rank that dies meanwhile is an
    error on all others. ``report["ranks"]`` says how many filled it; ``FASTCACHE_SHARE=0`` in the
    environment turns it off.

    With callables as `transform` or `target_transform`, batches are made sample by sample, and
    collated as torch does. With operations alone C makes them as a whole, also in the place of PIL
    images: what torchvision would hand on as a PIL image is a uint8 tensor (C, H, W) then. MixUp
    and CutMix mix batches: ``ds[i]`` is the sample before that, with its label as it is kept.

    Examples
    --------
    >>> import fastcache as fc
    >>> from fastcache import transforms as T
    >>> from torch.utils.data import DataLoader
    >>> ds = fc.ArenaDataset("photos/train", store=[T.Resize(256), T.CenterCrop(224)])
    >>> for images, labels in DataLoader(ds, batch_size=256, shuffle=True):
    ...     train(images, labels)  # uint8 (256, 3, 224, 224), int64 (256,)
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Source | Any,
        *,
        store: Any = None,
        color: Literal["RGB", "L", "RGBA", "I;16"] | None = None,
        exif: Literal["ignore", "apply"] = "ignore",
        transform: Transform = None,
        transform_input: Literal["pil", "tensor"] = "pil",
        target_transform: Transform = None,
        output: Literal["tuple", "dict"] = "tuple",
        keep: Literal["auto", "decoded", "encoded"] = "auto",
        home: str = "auto",
        budget: BudgetLike = None,
        on_error: Literal["raise", "skip", "fill"] = "raise",
        limit: int | float | None = None,
        shard: tuple[int, int] | None = None,
        threads: int | None = None,
        seed: int = 0,
        infer: Literal["first", "scan"] = "first",
        frozen: bool = False,
        parallel: bool = False,
        progress: bool | Callable[..., object] | None = None,
        limits: Limits | None = None,
        extra_formats: Collection[str] = (),
        cache_dir: str | os.PathLike[str] | None = None,
    ) -> None:
        place = place_of(home)
        options = FillOptions(
            store=store,
            color=color,
            exif=exif,
            keep=keep if place is None else decoded_only(keep, home),
            home=home if place is None else "auto",
            budget=budget,
            on_error=on_error,
            limit=limit,
            shard=shard,
            threads=threads,
            seed=seed,
            progress=progress,
            limits=Limits() if limits is None else limits,
            extra_formats=extra_formats,
            cache_dir=cache_dir,
        )
        check_choice("transform_input", transform_input, INPUTS)
        check_choice("output", output, OUTPUTS)
        for name, given in (("transform", transform), ("target_transform", target_transform)):
            check_transform(name, given)  # now, and not when everything is decoded
        made = as_source(source, infer=infer, frozen=frozen, parallel=parallel, color=color)
        reader = opened_at(place, lambda accept: make_arena(made, options, accept), threads, seed)
        try:
            super().__init__(
                reader,
                transform=transform,
                transform_input=transform_input,
                target_transform=target_transform,
                output=output,
                threads=threads,
                seed=seed,
            )
        except BaseException:
            with suppress(BufferError):  # a frame of this traceback looks at the memory:
                reader.close()  # it goes when the traceback does
            raise
