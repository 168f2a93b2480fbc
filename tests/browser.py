"""A real browser without a window, for pages that people will open."""

import shutil
import subprocess
from pathlib import Path

import pytest

_PATIENCE_S = 120


def find_browser() -> str:
    """Path of a Chromium; the test is skipped where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome", "chrome"):
        path = shutil.which(name)
        if path:
            return path
    pytest.skip("no Chromium is installed here (Debian: apt-get install chromium)")


def browse(address: str, profile: Path, *flags: str) -> str:
    """Open a page, let its scripts run, and give the document as it is then.

    Args:
        address: of the page.
        profile: a folder that the browser may fill.
        flags: such as `--screenshot=FILE`.
    """
    command = [
        find_browser(),
        *("--headless=new", "--no-sandbox", "--no-first-run", "--disable-extensions"),
        # Software drawing: machines that test have no graphics card.
        *("--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
        # Nothing may be needed from elsewhere.
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}",
        "--virtual-time-budget=20000",
        *flags,
        "--dump-dom",
        address,
    ]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the browser did not answer within {_PATIENCE_S} s on this machine")
    return run.stdout
