"""The command line: one command per pipeline. It parses, calls, prints, and maps errors to exit codes."""

# Commands stand in --help in the order in which their modules are imported here.
from habitue.cli import commands_demo, commands_init, commands_records, commands_models  # noqa: I001
from habitue.cli import commands_registry
from habitue.cli import commands_score
from habitue.cli import commands_monitor
from habitue.cli import commands_scorecard
from habitue.cli import commands_decide, commands_measure
from habitue.cli import commands_leaderboard, commands_privacy
from habitue.cli import commands_serve
from habitue.cli.app import ALARMS, app
from habitue.cli.run import EXIT_CODES, main

__all__ = [
    "ALARMS",
    "EXIT_CODES",
    "app",
    "commands_decide",
    "commands_demo",
    "commands_init",
    "commands_leaderboard",
    "commands_measure",
    "commands_models",
    "commands_monitor",
    "commands_privacy",
    "commands_records",
    "commands_registry",
    "commands_score",
    "commands_scorecard",
    "commands_serve",
    "main",
]
