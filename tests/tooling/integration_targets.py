# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the integration targets with ansible-playbook, each on a lab of its own.

A target is a directory of tests/integration/targets as ansible-test knows it: a role. One that others depend on (``hidden``
among its aliases) is not run by itself. It finds the lab by environment variables (LAB_CONTROL_URL and so on), or with
--kubeconfig no lab but only that API server; and an empty directory by the variable ``output_dir``, as ansible-test gives it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.laboratory import REPOSITORY, LabError, clean_environment, running_lab
from tooling.collection_tree import link

TARGETS = REPOSITORY / "tests" / "integration" / "targets"
BUILD = REPOSITORY / "build"


@dataclass(frozen=True)
class Settings:
    kubeconfig: Path | None = None
    verbose: bool = False


@dataclass(frozen=True)
class Result:
    target: str
    failed: bool
    seconds: float
    directory: Path

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(encoding="utf-8", errors="replace")


def run_targets(targets: Sequence[str], jobs: int, settings: Settings) -> int:
    """Run them all, a failed one notwithstanding.

    :returns: how many failed.
    """
    failed = 0
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        for future in as_completed([pool.submit(run_target, target, settings) for target in targets]):
            result = future.result()
            _report(result, settings)
            failed += result.failed
    return failed


def run_target(target: str, settings: Settings) -> Result:
    started = time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix=f"{target}-", dir=BUILD / "integration"))
    with (directory / "log").open("w", encoding="utf-8") as log:
        try:
            with _services(directory / "lab", settings) as environment:
                done = subprocess.run(
                    _command(target, directory, settings),
                    cwd=directory,
                    env={**environment, **_ansible_environment(directory)},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=False,
                )
                failed = done.returncode != 0
        except LabError as error:
            log.write(f"{error}\n")
            failed = True
    return Result(target, failed, time.monotonic() - started, directory)


@contextmanager
def _services(directory: Path, settings: Settings) -> Iterator[Mapping[str, str]]:
    """The environment that leads to the lab, or to the real API server alone."""
    if settings.kubeconfig:
        yield clean_environment() | {"K8S_AUTH_KUBECONFIG": str(settings.kubeconfig)}
    else:
        with running_lab(directory) as lab:
            yield lab.environment


def _command(target: str, directory: Path, settings: Settings) -> list[str]:
    output = directory / "output"
    output.mkdir()
    play = {
        "name": f"Integration target {target}",
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {
            "ansible_python_interpreter": sys.executable,
            "output_dir": str(output),
            "real_kubernetes": settings.kubeconfig is not None,
        },
        "roles": [target],
    }
    playbook = directory / "play.json"
    playbook.write_text(json.dumps([play], indent=2), encoding="utf-8")
    program = Path(sys.executable).with_name("ansible-playbook")
    return [str(program), "--inventory", "localhost,", "-vvv" if settings.verbose else "-v", str(playbook)]


def _ansible_environment(directory: Path) -> dict[str, str]:
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(BUILD / "collections"),
        "ANSIBLE_CONFIG": str(REPOSITORY / "tests" / "tooling" / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / "ansible"),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_ROLES_PATH": str(TARGETS),
    }


def _report(result: Result, settings: Settings) -> None:
    if result.failed or settings.verbose:
        print(result.log)
    if result.failed:
        print(f"FAILED {result.target} ({result.seconds:.0f} s); what it left is in {result.directory}", flush=True)
        return
    skipped = " ".join(line.strip() for line in result.log.splitlines() if "SKIPPED:" in line)
    print(f"ok     {result.target} ({result.seconds:.0f} s) {skipped}".rstrip(), flush=True)
    shutil.rmtree(result.directory)


def all_targets() -> list[str]:
    return sorted(path.name for path in TARGETS.iterdir() if path.is_dir() and not _is_hidden(path))


def _is_hidden(target: Path) -> bool:
    aliases = target / "aliases"
    return aliases.exists() and "hidden" in aliases.read_text(encoding="utf-8").split()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=1, help="how many targets at a time")
    parser.add_argument("--kubeconfig", type=Path, help="a real API server, and no lab: what needs Azure is skipped")
    parser.add_argument("--verbose", action="store_true", help="ansible-playbook -vvv, shown also when a target passes")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them unless given")
    arguments = parser.parse_args()
    known = all_targets()
    unknown = set(arguments.targets) - set(known)
    if unknown or not known:
        parser.error(
            f"no such integration target: {', '.join(sorted(unknown))}; there are: {', '.join(known) or 'none'}"
        )
    if arguments.kubeconfig and not arguments.kubeconfig.is_file():
        parser.error(f"there is no kubeconfig {arguments.kubeconfig}")
    (BUILD / "integration").mkdir(parents=True, exist_ok=True)
    link(BUILD / "collections")
    targets = arguments.targets or known
    kubeconfig = arguments.kubeconfig.resolve() if arguments.kubeconfig else None
    failed = run_targets(targets, arguments.jobs, Settings(kubeconfig, arguments.verbose))
    print(f"{len(targets) - failed} of {len(targets)} integration targets passed.")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
