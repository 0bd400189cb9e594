"""Which of several processes of one job this one is."""

from typing import NamedTuple


class Place(NamedTuple):
    """A process among those that work on one job together; alone it is the first of one."""

    rank: int = 0
    num_ranks: int = 1
    local_rank: int = 0
    """Among those of this node."""
    num_local_ranks: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0


ALONE = Place()
