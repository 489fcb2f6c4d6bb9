"""README and docs tell the truth: their code runs, their links lead somewhere, what is made is up to date.

Python blocks of a page share one namespace and one temporary folder; blocks with ``>>>`` are doctests;
``console`` blocks are run through the real command line and must print what is shown (``...`` stands for
anything). Blocks of other kinds (``bash``, ``text``, ``toml``) are only read.
"""

from __future__ import annotations

import doctest
import json
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import habitue
from habitue import cli
from habitue.features import FEATURES
from habitue.vocabulary import VOCABULARY

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATED = DOCS / "reference"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

_FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")

if not DOCS.is_dir():
    pytest.skip("docs/ lies beside src/ and is no part of what is installed", allow_module_level=True)


class Block(NamedTuple):
    """A fenced block of a page."""

    kind: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks, in order."""
    return [Block(*found.groups()) for found in _FENCE.finditer(page.read_text(encoding="utf-8"))]


def commands(page: Path) -> list[str]:
    """Return the commands of a page's console blocks."""
    lines = "".join(block.text for block in blocks(page) if block.kind == "console").splitlines()
    return [line[2:] for line in lines if line.startswith("$ ")]


PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
WRITTEN = [page for page in PAGES if GENERATED not in page.parents]
RUNNING = [
    page for page in WRITTEN if {block.kind for block in blocks(page)} & {"python", "pycon", "console"}
]


def name_of(page: Path) -> str:
    """Name a page as people do."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", RUNNING, ids=name_of)
def test_what_a_page_shows_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__page__"}
    for place, block in enumerate(blocks(page)):
        where = f"{name_of(page)}, block {place + 1}"
        if block.kind == "python":
            exec(compile(block.text, where, "exec"), namespace)
        elif block.kind == "pycon":
            run_doctest(block.text, namespace, where)
        elif block.kind == "console" and page != ROOT / "README.md":
            run_console(block.text, capsys, where)


def run_doctest(text: str, namespace: dict[str, Any], where: str) -> None:
    """Run the examples; what they define stays in the namespace."""
    test = doctest.DocTestParser().get_doctest(text, {}, where, where, 0)
    test.globs = namespace
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    result = runner.run(test, out=told.append, clear_globs=False)
    assert result.failed == 0, "".join(told)


def run_console(text: str, capsys: pytest.CaptureFixture[str], where: str) -> None:
    """Run each command and compare what it prints with what is shown."""
    command, shown = "", []
    for line in [*text.splitlines(), "$ "]:
        if not line.startswith("$ "):
            shown.append(line)
            continue
        if command:
            assert run_command(command) == 0, (where, command, capsys.readouterr().err)
            printed = capsys.readouterr().out
            assert agrees("\n".join(shown), printed), f"{where}: {command}\nprinted:\n{printed}"
        command, shown = line[2:].strip(), []


def run_command(command: str) -> int:
    """Run a command in this process, as `habitue` would."""
    program, *arguments = shlex.split(command)
    assert program == "habitue", f"only habitue is run in console blocks, not {program}"
    # The command line turns warnings into sentences; here they must not become errors before that.
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        return cli.main(arguments)


def agrees(shown: str, printed: str) -> bool:
    """Whether what was printed is what is shown, with ``...`` for anything; nothing shown agrees with all."""
    if not shown.strip():
        return True
    pattern = r".*?".join(re.escape(squeezed(part)) for part in shown.split("..."))
    return re.fullmatch(pattern, squeezed(printed), re.DOTALL) is not None


def squeezed(text: str) -> str:
    """Drop all white space, so that the width of a table's columns does not matter."""
    return re.sub(r"\s+", "", text)


def test_the_readme_names_the_commands_that_the_tutorial_runs() -> None:
    tutorial = commands(DOCS / "tutorial" / "your-own-data.md")
    readme = commands(ROOT / "README.md")
    assert readme
    assert [command for command in tutorial if command in readme] == readme


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        if "://" not in target and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), f"{name_of(page)} links to {target}"


def test_every_page_is_in_the_navigation_or_in_an_index() -> None:
    told = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    told += (DOCS / "decisions" / "README.md").read_text(encoding="utf-8").replace("](", "](decisions/")
    missing = [
        str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if str(page.relative_to(DOCS)) not in told
    ]
    assert missing == []


def test_the_reference_is_what_the_code_says(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "tools" / "make-reference", tmp_path], check=True, cwd=tmp_path)
    made = {path.relative_to(tmp_path): path.read_text("utf-8") for path in tmp_path.rglob("*.md")}
    tracked = {path.relative_to(GENERATED): path.read_text("utf-8") for path in GENERATED.rglob("*.md")}
    del tracked[Path("leaderboard.md")]  # written by a command, from data that are not here
    stale = sorted(str(path) for path in made.keys() | tracked.keys() if made.get(path) != tracked.get(path))
    assert stale == [], "docs/reference is stale; make it anew with: make docs"


def test_the_glossary_has_every_word() -> None:
    told = (GENERATED / "glossary.md").read_text(encoding="utf-8")
    assert [name for name, term in VOCABULARY.items() if f"| `{name}` | {term.meaning} |" not in told] == []


def test_the_feature_page_has_every_feature_once() -> None:
    told = (GENERATED / "features.md").read_text(encoding="utf-8")
    names: list[str] = []
    for row in re.findall(r"^\| (`.*?) \|", told, re.MULTILINE):
        first, *windows = re.findall(r"`([^`]+)`", row)
        names += [first, *(re.sub(r"\d+d$", window, first) for window in windows)]
    assert sorted(names) == sorted(name for name, term in VOCABULARY.items() if term.pillar is not None)
    flat = " ".join(told.split())
    alone = [one for one in FEATURES if f"| `{one.name}` |" in told]
    assert [one.name for one in alone if " ".join(one.sql.split()) not in flat] == []


def test_the_map_is_the_same_everywhere() -> None:
    docstring = re.sub(r"(?m)^    ", "", habitue.__doc__ or "")
    drawn = docstring[docstring.index("(errors | files) <") : docstring.index("\n\nNames are loaded")].strip()
    readme = next(
        block.text for block in blocks(ROOT / "README.md") if block.text.startswith("(errors | files) <")
    )
    assert readme.strip() == drawn


def test_the_map_names_every_folder() -> None:
    package = Path(habitue.__file__).parent
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    readme = next(
        block.text for block in blocks(ROOT / "README.md") if block.text.startswith("(errors | files) <")
    )
    assert folders == {line.split()[0] for line in readme.partition("\n\n")[2].splitlines()}


def test_examples_of_help_are_in_the_docs(capsys: pytest.CaptureFixture[str]) -> None:
    told = (GENERATED / "command-line.md").read_text(encoding="utf-8")
    names = [command.callback.__name__ for command in cli.app.registered_commands if command.callback]
    names += ["measure design", "measure assign", "measure readout", "measure simulate"]
    for name in names:
        assert cli.main([*name.split(), "--help"]) == 0
        example = next(line.strip() for line in capsys.readouterr().out.splitlines() if "Example: " in line)
        assert example in told


def test_the_readme_names_every_exit_code() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    codes = re.findall(
        r"(\d+) [a-z]", readme.partition("Exit codes: ")[2].partition(". ")[0].replace("\n", " ")
    )
    assert {int(code) for code in codes} == {0, 2, cli.ALARMS, *cli.EXIT_CODES.values()}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=name_of)
def test_notebooks_are_whole(notebook: Path) -> None:
    """Executed, in order, without a function of their own, a warning or this machine's name."""
    cells = [
        cell
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert not re.search(r"(?m)^\s*(def|class) |lambda", "".join(cell["source"]))
        assert [
            out for out in cell["outputs"] if out["output_type"] == "error" or out.get("name") == "stderr"
        ] == []
        texts = [out.get("text", out.get("data", {}).get("text/plain", "")) for out in cell["outputs"]]
        assert not re.search(r"/(home|root|tmp|work|Users)/", json.dumps(texts))
