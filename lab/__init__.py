"""Two real Slurm clusters on one Debian machine, for tests: `python -m lab up`. Standard library only."""

from lab.cluster import Cluster
from lab.layout import ClusterSpec, LabError
from lab.machine import Lab

__all__ = ["Cluster", "ClusterSpec", "Lab", "LabError"]
