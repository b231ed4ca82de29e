# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of JSON values: several times faster than copy.deepcopy, which has to reckon with more than dicts and lists."""

from __future__ import annotations

from typing import Any


def copied(value: Any) -> Any:
    """With all dicts and lists new; what is neither is shared."""
    kind = type(value)
    if kind is dict:
        return {name: copied(each) if type(each) in (dict, list) else each for name, each in value.items()}
    if kind is list:
        return [copied(each) if type(each) in (dict, list) else each for each in value]
    return value


def sharing(fresh: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """The fresh object, with the parts that are as before being the old ones: most changes touch little of an object."""
    for name, value in fresh.items():
        before = old.get(name)
        if value is not before and type(value) in (dict, list):
            if value == before:
                fresh[name] = before
            elif name == "metadata" and isinstance(before, dict):
                fresh[name] = sharing(value, before)
    return fresh
