# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run ``ansible-test sanity`` or ``ansible-test units`` on a copy of the working tree.

    tooling.ansible_test sanity [arguments of ansible-test sanity]
    tooling.ansible_test units [arguments of ansible-test units]

ansible-test works only below a directory named ansible_collections, without symbolic links on the way; hence the copy.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tooling.ansible_test_pip import provide_script
from tooling.collection_tree import REPOSITORY, copy

ANSIBLE_TEST = str(Path(sys.executable).with_name("ansible-test"))
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# Where ansible-test keeps the virtual environments of its sanity tests, for all collections of a user.
SHARED = Path("~/.ansible/test").expanduser()


def sanity(tree: Path, arguments: Sequence[str]) -> int:
    provide_script(PYTHON)
    command = ["sanity", "--local", "--requirements", "--python", PYTHON]
    with _alone():
        _prime(tree, command)
    return _ansible_test(tree, [*command, *arguments])


def _prime(tree: Path, command: Sequence[str]) -> None:
    """Make the virtual environments of the tests; hundreds of lines of pip are shown only if that fails."""
    primed = subprocess.run(
        [ANSIBLE_TEST, *command, "--prime-venvs"],
        cwd=tree,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if primed.returncode:
        sys.stderr.buffer.write(primed.stdout)
        raise SystemExit(primed.returncode)


def units(tree: Path, arguments: Sequence[str]) -> int:
    return _ansible_test(tree, ["units", "--local", "--python", PYTHON, *arguments])


@contextmanager
def _alone() -> Iterator[None]:
    """Two clones tested at once must not both build the shared virtual environments: ansible-test has no lock for them."""
    SHARED.mkdir(parents=True, exist_ok=True)
    with (SHARED / "aks.virtual_nodes.lock").open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _ansible_test(tree: Path, arguments: Sequence[str]) -> int:
    # shellcheck is looked for on PATH.
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(ANSIBLE_TEST).parent), os.environ["PATH"]])}
    return subprocess.run([ANSIBLE_TEST, *arguments], cwd=tree, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["sanity", "units"])
    arguments, rest = parser.parse_known_args()
    tree = copy(REPOSITORY / "build" / "ansible-test" / arguments.command)
    return {"sanity": sanity, "units": units}[arguments.command](tree, rest)


if __name__ == "__main__":
    sys.exit(main())
