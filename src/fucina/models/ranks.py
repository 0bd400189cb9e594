"""Processes that train one model together: each reads its share of every batch, all apply the sum of the gradients."""

from collections.abc import Iterable
from typing import Self

import torch
import torch.distributed as dist

from fucina.compute.place import Place


class Ranks:
    """The group; alone, every call is free."""

    def __init__(self, place: Place, device: torch.device) -> None:
        self.place = place
        self._device = device

    @classmethod
    def join(cls, place: Place) -> Self:
        """Meet the others, where `torchrun` says; NCCL between GPUs, Gloo between processors."""
        cuda = torch.cuda.is_available()
        if place.num_ranks == 1:
            return cls(place, torch.device("cuda" if cuda else "cpu"))
        device = torch.device("cuda", place.local_rank) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if cuda else "gloo", device_id=device if cuda else None)
        return cls(place, device)

    @property
    def device(self) -> torch.device:
        """Where this one computes."""
        return self._device

    def share(self, count: int) -> tuple[int, int]:
        """First and number of the items that are ours among `count` in a row; shares differ by one at most."""
        first = count * self.place.rank // self.place.num_ranks
        return first, count * (self.place.rank + 1) // self.place.num_ranks - first

    @torch.no_grad()
    def sum_in_place(self, tensors: Iterable[torch.Tensor]) -> None:
        """Replace each tensor by its sum over all ranks."""
        if self.place.num_ranks == 1:
            return
        held = list(tensors)
        flat = torch.cat([tensor.reshape(-1) for tensor in held])
        dist.all_reduce(flat)
        for tensor, part in zip(held, flat.split([tensor.numel() for tensor in held]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def total(self, value: float) -> float:
        """The sum of everybody's value."""
        if self.place.num_ranks == 1:
            return value
        held = torch.tensor([value], dtype=torch.float64, device=self._device)
        dist.all_reduce(held)
        return float(held.item())

    def anyone(self, wish: bool) -> bool:
        """Whether at least one of us wishes it; all hear the same answer."""
        return wish if self.place.num_ranks == 1 else self.total(float(wish)) > 0

    def leave(self) -> None:
        """End the group."""
        if self.place.num_ranks > 1 and dist.is_initialized():
            dist.destroy_process_group()
