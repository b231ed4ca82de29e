# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module imports is what every one of its runs pays for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import ansible_collections
import pytest

COLLECTION = "ansible_collections.aks.virtual_nodes.plugins"
MODULES = sorted(path.stem for path in (Path(__file__).parents[4] / "plugins" / "modules").glob("*.py"))

_LOADED_BY_A_CLIENT = f"""
import json, sys
from {COLLECTION}.module_utils.arm import options
from {COLLECTION}.module_utils.arm.session import Session
environment = {{"AZURE_CLIENT_ID": "c", "AZURE_TENANT": "t", "AZURE_SECRET": "s", "AZURE_SUBSCRIPTION_ID": "00000000-0000-0000-0000-000000000000"}}
session = Session(options.resolve({{}}, environment))
getattr(session, sys.argv[1])
print(json.dumps(sorted(name for name in sys.modules if name.startswith("azure.mgmt"))))
"""

_LOADED_BY_IMPORT = f"""
import importlib, json, sys
importlib.import_module("{COLLECTION}.modules." + sys.argv[1])
print(json.dumps(sorted(name for name in sys.modules if name.split(".")[0] in ("azure", "kubernetes", "msal", "requests"))))
"""


def loaded(program: str, argument: str) -> list[str]:
    # The fresh interpreter gets this process's import path, and the roots where this process found collections.
    roots = [str(Path(path).parent) for path in ansible_collections.__path__]
    start = f"import sys; sys.path[:0] = {roots + sys.path!r}\n"
    done = subprocess.run([sys.executable, "-c", start + program, argument], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def under(names: list[str], package: str) -> list[str]:
    return [name for name in names if name == package or name.startswith(package + ".")]


def test_an_identity_client_does_not_import_the_aks_sdk():
    names = loaded(_LOADED_BY_A_CLIENT, "identities")

    assert under(names, "azure.mgmt.msi.v2024_11_30")
    assert not under(names, "azure.mgmt.containerservice")
    assert not under(names, "azure.mgmt.authorization")
    assert not under(names, "azure.mgmt.msi.v2018_11_30")


def test_a_cluster_client_does_not_import_the_identity_sdk():
    names = loaded(_LOADED_BY_A_CLIENT, "clusters")

    assert under(names, "azure.mgmt.containerservice")
    assert not under(names, "azure.mgmt.msi")


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_module_imports_no_sdk(module):
    assert loaded(_LOADED_BY_IMPORT, module) == []
