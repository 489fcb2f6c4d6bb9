"""The little Markdown that pages of the reference are written in."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

__all__ = ["folded", "marked", "table"]


def marked(text: str) -> str:
    """Turn the little reStructuredText that docstrings use into Markdown."""
    text = re.sub(r":(?:mod|class|func|meth):`~?([^`]*)`", r"`\1`", text).replace("``", "`")
    text = re.sub(r"::\n\n((?:(?:    .*)?\n?)+)", _fenced, text)
    text = re.sub(r"^Examples\n-+\n(.*)", r"```pycon\n\1\n```", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"^\.\. \[\d+\] ", "- ", text, flags=re.MULTILINE)
    # `name` on one line and what it means, indented, on the next.
    return re.sub(r"^(`[^`\n]+`)\n    ", r"\1: ", text, flags=re.MULTILINE).strip()


def _fenced(found: re.Match[str]) -> str:
    return f":\n\n```text\n{textwrap.dedent(found[1]).strip()}\n```\n\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table."""
    lines = [" | ".join(head)]
    lines.append(" | ".join("---" for _ in lines[0].split(" | ")))
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return "".join(f"| {line} |\n" for line in lines)


def folded(title: str, text: str) -> str:
    """Return a block that is closed until somebody opens it."""
    return f'??? note "{title}"\n\n' + textwrap.indent(text, "    ")
