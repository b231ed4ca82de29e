# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the collection's artifact into build/artifact, and import it as Galaxy would.

It is built from what git knows or would add, so that nothing else that lies in the working tree gets in. The importer runs
without ansible-test and ansible-lint, which are parts of ``make test`` with stricter settings; what it warns of counts.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tooling.collection_tree import REPOSITORY, copy

PROGRAMS = Path(sys.executable).parent
BUILT = REPOSITORY / "build" / "artifact"

_WARNING = re.compile(r"^(WARNING|ERROR): ", re.MULTILINE)


def build() -> Path:
    """
    :returns: the artifact.
    """
    shutil.rmtree(BUILT, ignore_errors=True)
    tree = copy(BUILT / "tree")
    command: list[str | Path] = [PROGRAMS / "ansible-galaxy", "collection", "build", "--output-path", BUILT, tree]
    subprocess.run(command, env=_environment(), check=True)
    (artifact,) = BUILT.glob("*.tar.gz")
    return artifact


def is_importable(artifact: Path) -> bool:
    """Whether the importer takes it without a warning; shows what it says."""
    command: list[str | Path] = [sys.executable, "-m", "galaxy_importer.main", artifact]
    done = subprocess.run(
        command, cwd=BUILT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    print(done.stdout)
    return done.returncode == 0 and not _WARNING.search(done.stdout)


def _environment() -> dict[str, str]:
    return os.environ | {
        "PATH": os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath)]),
        "ANSIBLE_CONFIG": str(REPOSITORY / "tests" / "tooling" / "ansible.cfg"),
        "ANSIBLE_HOME": str(BUILT / "ansible"),
        # kubernetes.core, without which the modules' documentation is not whole
        "ANSIBLE_COLLECTIONS_PATH": str(BUILT / "tree"),
        "GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP": str(BUILT / "ansible" / "tmp"),
        "GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false",
        "GALAXY_IMPORTER_RUN_ANSIBLE_TEST": "false",
    }


def main() -> int:
    artifact = build()
    if not is_importable(artifact):
        return 1
    print(f"Built and importable: {artifact}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
