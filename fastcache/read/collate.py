"""Samples to a batch: what torch's ``default_collate`` gives, without touching the samples.

Registered with torch, so that a plain ``DataLoader`` takes it; :func:`collate` is the same as a
``collate_fn``.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch.utils.data._utils.collate import collate as torch_collate
from torch.utils.data._utils.collate import default_collate_fn_map

from fastcache.read.batch import SAMPLE_TYPES, ArenaBatch, plain
from fastcache.read.detection.boxes import BoxBatch
from fastcache.read.detection.targets import Targets, collate_targets
from fastcache.schema import Structure

CollateMap: TypeAlias = dict[type | tuple[type, ...], Callable[..., Any]] | None


def collate(batch: Sequence[Any]) -> Any:
    """Make a batch of samples; for ``DataLoader(..., collate_fn=fastcache.collate)``.

    Parameters
    ----------
    batch : sequence
        Samples of an :class:`~fastcache.ArenaDataset`, or any others that torch can collate.

    Returns
    -------
    nested lists and dicts
        As torch's ``default_collate`` returns them: dicts stay dicts, tuples and lists become
        lists. Numbers become int64, float64 or bool tensors of shape (B,), strings stay strings.
        Images of one size become (B, C, H, W) in channels_last order, other arrays (B, ...).
        Where torch would refuse there are lists: None, and tensors whose shapes differ. A column
        of an arena whose rows differ in shape is a list in every batch. Targets with boxes are a
        list of dicts, or one tensor of all boxes, as their source was told.
    """
    return _collate_samples(batch, collate_fn_map=default_collate_fn_map)


def _collate_samples(batch: Sequence[Any], *, collate_fn_map: CollateMap = None) -> Any:
    """Collate as torch's table of functions wants it."""
    if type(batch) is ArenaBatch:
        columns = batch.columns()
        if columns is not None:
            return _assemble(batch.structure, columns, list)
    return _collate_nodes([plain(sample) for sample in batch], collate_fn_map)


def _assemble(node: Structure, columns: Mapping[str, Any], texts: type) -> Any:
    """Put gathered columns into the structure; `texts` is what torch makes of strings there."""
    if isinstance(node, str):
        values = columns[node]
        if isinstance(values, BoxBatch):
            return values.collated()
        is_text = type(values) is list and values and type(values[0]) is str
        return texts(values) if is_text else values
    if isinstance(node, dict):
        return {key: _assemble(child, columns, list) for key, child in node.items()}
    return [_assemble(child, columns, tuple) for child in node]


def _collate_nodes(nodes: Sequence[Any], collate_fn_map: CollateMap) -> Any:
    """Go down to the leaves, keep what torch would refuse as lists, and leave the rest to it."""
    first = nodes[0]
    if type(first) is dict and all(type(node) is dict for node in nodes):
        return {k: _collate_nodes([node[k] for node in nodes], collate_fn_map) for k in first}
    if type(first) in (tuple, list) and all(type(node) is type(first) for node in nodes):
        if any(len(node) != len(first) for node in nodes):
            raise RuntimeError("samples of a batch have different numbers of elements")
        return [_collate_nodes(parts, collate_fn_map) for parts in zip(*nodes, strict=True)]
    if any(node is None for node in nodes):
        return list(nodes)
    if isinstance(first, torch.Tensor) and len({node.shape for node in nodes}) > 1:
        return list(nodes)
    return torch_collate(nodes, collate_fn_map=collate_fn_map)


for _kind in SAMPLE_TYPES:
    default_collate_fn_map[_kind] = _collate_samples
default_collate_fn_map[Targets] = collate_targets
