"""The drill of faults that are no kill (故障演练): full disks, failing fsync, clocks, twins, missing partitions, restored heads."""

from __future__ import annotations
