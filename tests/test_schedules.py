"""What the pages on cron, Airflow and Docker tell people to run is at least written as it should be."""

from __future__ import annotations

import re
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from habitue.cli.run import EXIT_CODES
from habitue.errors import UnavailableError

ROOT = Path(__file__).resolve().parents[1]
HOW_TO = ROOT / "docs" / "how-to"


def blocks(page: str) -> list[str]:
    text = (HOW_TO / page).read_text("utf-8")
    return re.findall(r"^```text\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """The script of the page in a folder whose `habitue` ends with the codes listed in ``codes``."""
    script = next(block for block in blocks("cron.md") if block.startswith("#!/bin/sh"))
    program = tmp_path / ".venv" / "bin" / "habitue"
    program.parent.mkdir(parents=True)
    program.write_text(
        '#!/bin/sh\necho "habitue $1 said"\necho "$1" >> calls\n'
        'code=$(head -n 1 codes); sed -i 1d codes; exit "${code:-0}"\n'
    )
    waits = tmp_path / "bin" / "sleep"
    waits.parent.mkdir()
    waits.write_text("#!/bin/sh\necho waited >> calls\n")
    path = tmp_path / "nightly.sh"
    path.write_text(script.replace("/srv/shop", str(tmp_path)).replace("/etc/habitue.env", "none"))
    for one in (program, waits, path):
        one.chmod(one.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.mark.parametrize(
    ("codes", "calls", "ends", "mails"),
    [
        ([0, 0], ["score", "monitor"], 0, False),
        ([7, 7, 0, 0], ["score", "waited", "score", "waited", "score", "monitor"], 0, False),
        ([3], ["score"], 3, False),
        ([7] * 6, ["score", "waited"] * 6, 7, False),
        ([0, 8], ["score", "monitor"], 8, True),
    ],
)
def test_the_script_for_cron_repeats_what_is_worth_repeating(
    codes: list[int], calls: list[str], ends: int, mails: bool, night: Path
) -> None:
    (night.parent / "codes").write_text("".join(f"{code}\n" for code in codes))
    path = f"{night.parent / 'bin'}:/usr/bin:/bin"
    done = subprocess.run(
        [night], env={"PATH": path}, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == ends, done.stderr
    assert (night.parent / "calls").read_text().split() == calls
    assert ("said" in done.stdout) == mails
    assert done.stderr == ""


def test_a_second_night_gives_way(night: Path) -> None:
    line = next(block for block in blocks("cron.md") if "flock" in block)
    command = line.split("* * *  ")[1].replace("/srv/shop", str(night.parent))
    lock = str(night.parent / "nightly.lock")
    done = subprocess.run(
        ["flock", lock, "sh", "-c", command], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "habitue: the night ended with exit code 7\n"
    assert not (night.parent / "calls").exists()


def test_the_pages_name_the_exit_codes_that_there_are() -> None:
    told = {
        int(code)
        for code in re.findall(r"^\| (\d+) \|", (HOW_TO / "cron.md").read_text("utf-8"), re.MULTILINE)
    }
    assert told == {0, 2, 8, *EXIT_CODES.values()} - {1}
    assert EXIT_CODES[UnavailableError] == 7


def test_what_the_page_shows_for_airflow_is_python() -> None:
    dags = [block for block in blocks("airflow.md") if "airflow" in block]
    assert len(dags) == 2
    for block in dags:
        compile(block, "dag.py", "exec")
    assert "LATER, ALARMS = 7, 8" in dags[0]


@pytest.mark.skipif(
    not (ROOT / "src").is_dir(), reason="an installed wheel is tested where its source is not"
)
def test_the_image_holds_what_is_locked_and_nothing_of_the_shop() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    assert "--require-hashes --requirement requirements.lock" in text
    user = text.index("USER 10001:10001")
    assert user > text.rindex("RUN ")
    assert user < text.index("ENTRYPOINT")
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE))
    names = {name for line in copied for name in line.split()}
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")
    }
    assert names == kept
    assert all((ROOT / name).exists() for name in names)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {project["readme"], *project["license-files"]} <= names
