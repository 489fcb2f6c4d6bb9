"""The few forms of which a model card is made, and how each is written as Markdown and as HTML.

Words may hold ``**strong**``, one ``*stressed*`` and `` `code` ``; all else is text, and is escaped where
HTML is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

__all__ = ["Block", "Bullets", "Section", "Table", "as_html", "as_markdown"]


@dataclass(frozen=True)
class Bullets:
    """Short lines under each other."""

    lines: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A heading for each column, and rows of as many cells."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


Block = str | Bullets | Table
"""A paragraph, bullets or a table."""


@dataclass(frozen=True)
class Section:
    """A heading, and what stands under it."""

    heading: str
    blocks: Sequence[Block]


_STYLE: Final = """
:root { color-scheme: light dark; --ink: light-dark(#1c1b19, #ece9e3); --paper: light-dark(#fbfaf7, #191816);
  --line: light-dark(#e6e1d8, #3a3731); --main: light-dark(#0f5f66, #7cc4c9); }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2.5rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.15rem; color: var(--main); margin-top: 2.2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; } code { font-size: .92em; overflow-wrap: anywhere; }
""".strip()


def as_markdown(title: str, sections: Sequence[Section]) -> str:
    """Write sections as Markdown.

    Parameters
    ----------
    title : str
        The page's heading.
    sections : sequence of Section
        In order.

    Returns
    -------
    str

    Examples
    --------
    >>> print(as_markdown("Card", [Section("Data", ["Two rows.", Bullets(["a", "b"])])]))
    # Card
    <BLANKLINE>
    ## Data
    <BLANKLINE>
    Two rows.
    <BLANKLINE>
    - a
    - b
    <BLANKLINE>
    """
    parts = [f"# {title}"]
    for section in sections:
        parts += [f"## {section.heading}", *map(_markdown, section.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown(block: Block) -> str:
    if isinstance(block, Bullets):
        return "\n".join(f"- {line}" for line in block.lines)
    if isinstance(block, Table):
        lines = [block.head, ["---"] * len(block.head), *block.rows]
        return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)
    return block


def _cell(text: str) -> str:
    """Make text fit into one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def as_html(title: str, sections: Sequence[Section]) -> str:
    """Write sections as one page of HTML that needs nothing but itself.

    Parameters
    ----------
    title : str
        The page's heading.
    sections : sequence of Section
        In order.

    Returns
    -------
    str

    Examples
    --------
    >>> page = as_html("Card", [Section("Data", ["Made **by hand** of <b>."])])
    >>> "<p>Made <strong>by hand</strong> of &lt;b&gt;.</p>" in page
    True
    """
    parts = [f"<h1>{escape(title)}</h1>"]
    for section in sections:
        parts += [f"<h2>{escape(section.heading)}</h2>", *map(_html, section.blocks)]
    body = "\n".join(part for part in parts if part)
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<style>\n{_STYLE}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _html(block: Block) -> str:
    if isinstance(block, Bullets):
        items = "".join(f"<li>{_words(line)}</li>" for line in block.lines)
        return f"<ul>{items}</ul>" if items else ""
    if isinstance(block, Table):
        head = "".join(f"<th>{_words(one)}</th>" for one in block.head)
        rows = "".join(f"<tr>{''.join(f'<td>{_words(one)}</td>' for one in row)}</tr>" for row in block.rows)
        return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
    return f"<p>{_words(block)}</p>" if block else ""


def _words(text: str) -> str:
    """Escape text, and turn what is strong or code into elements."""
    told = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escape(text))
    told = re.sub(r"(?<![\w*])\*(\w+)\*(?![\w*])", r"<em>\1</em>", told)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", told)
