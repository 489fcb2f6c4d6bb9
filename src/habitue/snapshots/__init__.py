"""The customer base at a cutoff: X, and y where the future is known."""

from habitue.snapshots.snapshot import Snapshot, stack, take_snapshot, training_cutoffs
from habitue.snapshots.window import Window

__all__ = ["Snapshot", "Window", "stack", "take_snapshot", "training_cutoffs"]
