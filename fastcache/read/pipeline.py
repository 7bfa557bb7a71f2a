"""From a row to a sample: which part ``transform`` gets, and in which form."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from fastcache.errors import ArgumentError
from fastcache.read.columns.columns import ArrayReader, Reader
from fastcache.read.columns.fields import FieldReader
from fastcache.read.pil_images import mode_of, modes_of, to_pil
from fastcache.read.recipes.recipe import Recipe, why_not
from fastcache.read.recipes.recipe_moved import MovedColumn, holds_places
from fastcache.read.recipes.recipe_reader import RecipeColumn, pixels_of
from fastcache.read.roles import IMAGE_NAMES, TARGET_NAMES, find_roles, names_in
from fastcache.read.sampling.keys import Keys
from fastcache.read.transform_steps import (
    Transform,
    apply_steps,
    check_transform,
    split_series,
    steps_of,
)
from fastcache.schema import Field, Image, Mask, Structure, rebuild
from fastcache.transforms import Chain, ReadOperation, translate
from fastcache.transforms.torchvision_twins import family


class Pipeline:
    """Makes samples of rows, with the user's callables in the right places.

    Parameters
    ----------
    structure : Structure
    fields : mapping of str to Field
    transform, target_transform : callable, list of callables, or None
    as_pil : bool
        Whether the callables get images and masks as PIL images, or as tensors.

    Attributes
    ----------
    recipe : Recipe or None
        What C does to images first.
    keys : Keys or None
        Whose random numbers samples get, if any; whoever uses the pipeline gives them to it.

    Raises
    ------
    ArgumentError
        If it is not clear what a callable is for, PIL has no such images, or operations cannot be
        done in this order, or not to such images.

    Notes
    -----
    A transform of series that comes first is not called on samples: it becomes a reader, by which
    the C core makes images of whole batches. So do operations on images.
    """

    def __init__(
        self,
        structure: Structure,
        fields: Mapping[str, Field],
        transform: Transform,
        target_transform: Transform,
        as_pil: bool,
    ) -> None:
        for name, given in (("transform", transform), ("target_transform", target_transform)):
            if given is not None:
                check_transform(name, given)
        self.transform = transform
        self.target_transform = target_transform
        self._as_pil = as_pil
        self.keys: Keys | None = None
        field, steps = split_series(transform)
        # As it is now: readers are made of it, here and again in each process that gets a copy.
        self.field = copy.deepcopy(field)
        self._target_steps = steps_of(target_transform)
        self._chain = self._translated(steps, find_roles(structure, fields).image, fields)
        # Without operations they run as they were given: a Compose as one.
        chain = self._chain
        self._image_steps = (
            list(chain.callables) if chain.operations or not chain.callables else steps
        )
        self.settle(structure, fields)

    def _translated(
        self, steps: list[Any], image: str | None, fields: Mapping[str, Field]
    ) -> Chain:
        """Find out what of the transform C can do."""
        if image is None:
            return Chain()
        field = fields[image]
        why = why_not(image, field)
        if self.field is not None:
            why = f"it follows {type(self.field).__name__}, whose images are no pixels"
        return translate(steps, kept=field.dtype, tensors=not self._as_pil, why_python=why)

    def settle(self, structure: Structure, fields: Mapping[str, Field]) -> None:
        """Find out what the callables are for, as when it was made: pickles leave that out.

        Raises
        ------
        ArgumentError
            As for the class.
        """
        self._structure = structure
        roles = self._roles = find_roles(structure, fields)
        for name, given, role, names in (
            ("transform", self.transform, roles.image, IMAGE_NAMES),
            ("target_transform", self.target_transform, roles.target, TARGET_NAMES),
        ):
            if given is not None and role is None:
                raise ArgumentError(
                    f"{name}=: which of {', '.join(fields)} is it for? Call one "
                    f"{' or '.join(names)}, or transform whole samples in a Dataset around this one"
                )
        self.recipe = self._make_recipe(fields)
        self._modes = self._find_modes(fields) if self._as_pil else {}

    def _make_recipe(self, fields: Mapping[str, Field]) -> Recipe | None:
        image, target = self._roles
        if image is None or not self._chain.operations:
            return None
        targets = [] if target is None else names_in(target)
        followers = [
            name
            for name, field in fields.items()
            if isinstance(field, Mask) or (isinstance(field, Image) and name in targets)
        ]
        recipe = Recipe(self._chain, image, [n for n in followers if n != image], fields)
        if recipe.mixing is not None and (self._target_steps or not isinstance(target, str)):
            raise ArgumentError(
                f"{recipe.mixing!r} mixes the labels of a batch as they are kept: give samples of "
                "an image and one label, and no target_transform"
            )
        return recipe

    @property
    def label(self) -> str | None:
        """The column that `target_transform` is for, if it is one."""
        target = self._roles.target
        return target if isinstance(target, str) else None

    def _find_modes(self, fields: Mapping[str, Field]) -> dict[str, str]:
        """Return the mode of each column that is handed on as PIL images."""
        modes: dict[str, str] = {}
        image, target = self._roles
        if self._image_steps and image is not None:
            if self.recipe is None:
                modes = modes_of("transform", [image], fields)
            elif not self._chain.hands_tensors:
                mode = mode_of(*self.recipe.result)
                assert mode is not None
                modes[image] = mode
        if self._target_steps and target is not None:
            modes |= modes_of("target_transform", names_in(target), fields)
        if self.recipe is not None and self.recipe.has_views:
            modes = {name: mode for name, mode in modes.items() if name not in self.recipe.columns}
        return modes

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what grows with the columns; :meth:`settle` finds it again."""
        derived = ("_structure", "_roles", "_modes", "recipe")
        return {name: value for name, value in self.__dict__.items() if name not in derived}

    @property
    def is_random(self) -> bool:
        """Whether it takes random numbers."""
        return self.recipe is not None and self.recipe.is_random

    @property
    def per_sample(self) -> bool:
        """Whether Python has something to do to each sample."""
        return bool(self._image_steps or self._target_steps)

    @property
    def lines(self) -> list[str]:
        """What `transform` is, a line each; with operations of ours, where each part runs."""
        if self.recipe is not None:
            return self.recipe.lines()
        known = (isinstance(c, ReadOperation) or family(c) for c in self._chain.callables)
        if self.field is None and any(known):  # C could have done it, but for some reason
            return self._chain.lines()
        return repr(self.transform).splitlines()

    def over(self, readers: Mapping[str, Reader]) -> Mapping[str, Reader]:
        """Return the readers of what samples consist of.

        Where the transform begins with one of series, images stand in the place of these; where it
        begins with a recipe, what that makes.

        Raises
        ------
        ArgumentError, ArgumentTypeError
            If it cannot make them of these rows.
        """
        name = self._roles.image
        if name is None or (self.field is None and self.recipe is None):
            return readers
        if self.field is not None:
            return {**readers, name: FieldReader(readers[name], self.field)}
        assert self.recipe is not None
        made = self.recipe.columns
        first = RecipeColumn(readers[name], made[name], name)
        others: dict[str, Reader] = {
            n: RecipeColumn(readers[n], m, n, first) for n, m in made.items() if n != name
        }
        placed = {n: r for n, r in readers.items() if holds_places(r)}
        if placed and self.recipe.mixing is not None:
            raise ArgumentError(
                f"{self.recipe.mixing!r} makes one image of two, and {', '.join(placed)} lies on "
                "one: leave it out"
            )
        if self.recipe.moves:
            others |= {n: MovedColumn(reader, first, n) for n, reader in placed.items()}
        return {**readers, name: first, **others}

    def sample(self, readers: Mapping[str, Reader], row_of: Callable[[str], int]) -> Any:
        """Return a sample of what `over` returned; ``row_of``: which row a column gives."""

        def leaf(name: str) -> Any:
            reader, row, mode = readers[name], row_of(name), self._modes.get(name)
            if mode is not None and isinstance(reader, ArrayReader):
                value: Any = to_pil(reader.array(row), mode)
            else:
                value = reader.item(row)
                if mode is not None and self.recipe is not None and name in self.recipe.columns:
                    value = to_pil(pixels_of(value, self.recipe.plans[0].layout), mode)
            return apply_steps(self._image_steps, value) if name == self._roles.image else value

        def build(node: Structure) -> Any:
            if self._target_steps and node == self._roles.target:
                return apply_steps(self._target_steps, rebuild(node, leaf))
            if isinstance(node, str):
                return leaf(node)
            if isinstance(node, dict):
                return {key: build(child) for key, child in node.items()}
            return type(node)(build(child) for child in node)

        return build(self._structure)
