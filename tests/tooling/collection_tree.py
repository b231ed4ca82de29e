# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lay the collection out as Ansible wants it: ``ROOT/ansible_collections/aks/virtual_nodes``.

    python -m tooling.collection_tree link ROOT   a symbolic link to the working tree, for ansible-playbook
    python -m tooling.collection_tree copy ROOT   a copy of what git knows or would add, for ansible-test and the artifact

Either has kubernetes.core beside it, because ansible-test looks nowhere else.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COLLECTION = Path("ansible_collections", "aks", "virtual_nodes")
NEIGHBOUR = Path("ansible_collections", "kubernetes", "core")


def link(root: Path) -> Path:
    """Link to the working tree."""
    target = root / COLLECTION
    _link(target, REPOSITORY)
    _link(root / NEIGHBOUR, _installed_neighbour())
    return target


def copy(root: Path) -> Path:
    """Copy the working tree's files, and nothing that is ignored: no virtual environment, no build directory."""
    shutil.rmtree(root, ignore_errors=True)
    target = root / COLLECTION
    for name in _files():
        source = REPOSITORY / name
        if not source.is_symlink() and not source.is_file():
            continue  # deleted, but not yet in git
        destination = target / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, destination, follow_symlinks=False)
    # A repository of its own: otherwise ansible-test asks the one around it, which ignores the directory build.
    subprocess.run(["git", "init", "--quiet", str(target)], check=True)
    _link(root / NEIGHBOUR, _installed_neighbour())
    return target


def _link(link: Path, target: Path) -> None:
    """At once or not at all, for several parts of ``make test`` do it at the same time."""
    if link.is_symlink() and link.resolve() == target.resolve():
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = link.with_name(f".{link.name}-{os.getpid()}")
    fresh.symlink_to(target, target_is_directory=True)
    fresh.replace(link)


def _files() -> list[str]:
    command = ["git", "-C", str(REPOSITORY), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split("\0") if name]


def _installed_neighbour() -> Path:
    spec = importlib.util.find_spec("ansible_collections")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The ansible package, which holds kubernetes.core, is not installed: run make venv.")
    return Path(next(iter(spec.submodule_search_locations)), *NEIGHBOUR.parts[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("form", choices=["link", "copy"])
    parser.add_argument("root", type=Path)
    arguments = parser.parse_args()
    root = arguments.root.absolute()
    print(link(root) if arguments.form == "link" else copy(root))


if __name__ == "__main__":
    main()
