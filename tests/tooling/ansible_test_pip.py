# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let ansible-test set up its virtual environments from the package index alone.

ansible-test makes them without pip and then downloads a script that installs pip, from a host that networks which
let nothing but a package index through do not reach. It looks into its cache first, though; so what stands there does
the same by Python's own ``ensurepip``. A script that is already in the cache is left alone.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

from ansible_test._internal.python_requirements import get_venv_packages

CACHE = Path("~/.ansible/test/cache").expanduser()

SCRIPT = '''\
"""Stands in for get-pip.py: installs pip by ensurepip, then the wanted version of it from the package index."""

import os
import subprocess
import sys

os.environ.pop("GET_PIP", None)
wanted = [each for each in sys.argv[1:] if each not in ("--no-setuptools", "--no-wheel")]
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
sys.exit(subprocess.run([sys.executable, "-m", "pip", "install", "--quiet"] + wanted, check=False).returncode)
'''


def provide_script(python_version: str) -> Path:
    """Write the script under the name that this version of ansible-test looks for, whole or not at all."""
    pip_version = get_venv_packages(SimpleNamespace(version=python_version))["pip"]
    path = CACHE / f"get_pip_{pip_version.replace('.', '_')}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(SCRIPT)
        os.replace(fresh, path)
    return path


if __name__ == "__main__":
    provide_script(f"{sys.version_info.major}.{sys.version_info.minor}")
