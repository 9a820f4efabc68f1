"""Start-up and whole edits as a user meets them, each a process of its own: ``.venv/bin/python benchmarks/cold_start.py``.

``step1x --help``, ``import step1x_edit``, and a nano edit of a 1 MP photograph from the command line, start included.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe_machine

ROOT = Path(__file__).parent.parent
STEP1X = Path(sys.executable).with_name("step1x")


def seconds(command: list[str | Path]) -> float:
    """Wall seconds of a process that must succeed."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return time.perf_counter() - start


def main() -> None:
    """Measure and print medians with their spread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    print(describe_machine())
    with tempfile.TemporaryDirectory() as folder:
        photo = ROOT / "examples" / "photo.jpg"
        edit = [STEP1X, "edit", photo, "-i", "make it night", "--seed", "1", "--out", folder, "--force", "--no-sheet"]
        commands: dict[str, list[str | Path]] = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "step1x --help": [STEP1X, "--help"],
            "import step1x_edit": [sys.executable, "-c", "import step1x_edit"],
            "nano edit, 0.98 MP": edit,
        }
        measured: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(given.runs + 1):
            for name, command in commands.items():
                value = seconds(command)
                if run:  # The first round warms the file cache.
                    measured[name].append(value)
    for name, values in measured.items():
        print(f"{name:20s} median {statistics.median(values):.2f} s  min {min(values):.2f}  max {max(values):.2f}")


if __name__ == "__main__":
    main()
