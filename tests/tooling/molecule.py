# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run molecule on this working tree: ``tooling.molecule test``, or any other command of molecule's."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from harness.laboratory import REPOSITORY, clean_environment

PROGRAMS = Path(sys.executable).parent


def main() -> int:
    # A directory of its own for each run, so that two at once do not stop each other's lab.
    with tempfile.TemporaryDirectory(prefix="aks-virtual-nodes-molecule-") as directory:
        environment = clean_environment() | {
            "PATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)]),
            "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / "build" / "collections"),
            "ANSIBLE_NOCOLOR": "true",
            "NO_COLOR": "true",
            "ANSIBLE_HOME": f"{directory}/ansible",
            "MOLECULE_EPHEMERAL_DIRECTORY": f"{directory}/scenario",
        }
        command = [str(PROGRAMS / "molecule"), *(sys.argv[1:] or ["test"])]
        return subprocess.run(command, cwd=REPOSITORY / "extensions", env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
