# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""module_defaults for group/aks.virtual_nodes.azure must reach every module that signs in to Azure, and no other."""

from __future__ import annotations

from pathlib import Path

import yaml

COLLECTION = Path(__file__).parents[3]


def test_the_action_group_holds_the_modules_that_sign_in_to_azure() -> None:
    runtime = yaml.safe_load((COLLECTION / "meta" / "runtime.yml").read_text(encoding="utf-8"))
    modules = [path for path in (COLLECTION / "plugins" / "modules").glob("*.py") if path.stem != "__init__"]
    signing_in = [path.stem for path in modules if "aks.virtual_nodes.azure" in path.read_text(encoding="utf-8")]
    assert signing_in
    assert runtime["action_groups"]["azure"] == sorted(signing_in)
