"""What C code prints while a plan is sought is not on standard output; what Python prints around it is."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import ctypes
from habitue.decisions.allocating.quiet_solver import off_stdout
c = ctypes.CDLL(None)
print("before")
c.printf(b"C before\\n")
with off_stdout():
    c.printf(b"C between\\n")
print("after")
"""


def test_only_what_is_printed_meanwhile_goes_elsewhere() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert set(done.stdout.split("\n")) == {"before", "C before", "after", ""}
    assert done.stderr == "C between\n"


def test_it_bears_a_closed_standard_output() -> None:
    closing = "import os; os.close(1)\n" + PROGRAM.replace('print("before")', "").replace(
        'print("after")', ""
    )
    done = subprocess.run([sys.executable, "-c", closing], capture_output=True, text=True, check=False)
    assert "Error" not in done.stderr.split("Exception ignored")[0]
