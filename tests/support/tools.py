"""Programs that some tests need and that not every machine has.

Without one, `make test` leaves those tests out and says so in one line at its end;
`make test-tools` (REQUIRE_TOOLS=1) fails instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_tool(*names: str) -> Path | None:
    """The first of ``names`` on the PATH or in /usr/bin."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/bin", "/usr/local/bin"])
    found = (shutil.which(name, path=path) for name in names)
    return next((Path(tool) for tool in found if tool), None)


def demanded() -> bool:
    """Whether a missing program is a failure."""
    return os.environ.get("REQUIRE_TOOLS") == "1"
