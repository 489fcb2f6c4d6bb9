"""The command line: one command per pipeline. It parses, calls, prints, and maps errors to exit codes."""

# Commands stand in --help in the order in which their modules are imported here.
from habitue.cli import commands_demo, commands_init, commands_records, commands_models  # noqa: I001
from habitue.cli import commands_leaderboard, commands_privacy
from habitue.cli.app import app
from habitue.cli.run import EXIT_CODES, main

__all__ = [
    "EXIT_CODES",
    "app",
    "commands_demo",
    "commands_init",
    "commands_leaderboard",
    "commands_models",
    "commands_privacy",
    "commands_records",
    "main",
]
