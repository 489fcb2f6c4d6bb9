"""The customer base at a cutoff: X, and y where the future is known."""

from habitue.snapshots.population import Population, learn_population
from habitue.snapshots.profile import ColumnProfile, Profile
from habitue.snapshots.snapshot import Snapshot, stack, take_snapshot, take_snapshots, training_cutoffs
from habitue.snapshots.trials import Trials, take_trials
from habitue.snapshots.window import Window

__all__ = [
    "ColumnProfile",
    "Population",
    "Profile",
    "Snapshot",
    "Trials",
    "Window",
    "learn_population",
    "stack",
    "take_snapshot",
    "take_snapshots",
    "take_trials",
    "training_cutoffs",
]
