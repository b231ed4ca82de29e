# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strategic merge patch, as k8s.io/apimachinery/pkg/util/strategicpatch applies it."""

from __future__ import annotations

import copy
from typing import Any

from lab.kubernetes.errors import bad_request
from lab.kubernetes.patches import rejected
from lab.kubernetes.registry import Kind

_DIRECTIVE = "$patch"
_RETAIN_KEYS = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"

# Lists that are merged by a key; every other list is replaced. None for lists of plain values.
_MERGE_KEYS: dict[str, str | None] = {
    "addresses": "type",
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "hostIPs": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "podCIDRs": None,
    "podIPs": "ip",
    "resourceClaims": "name",
    "secrets": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_ATOMIC = object()


def apply(kind: Kind, target: dict[str, Any], patch: Any) -> dict[str, Any]:
    """The patched object; neither argument is changed."""
    if not isinstance(patch, dict):
        raise bad_request("cannot unmarshal the patch into Go value of type map[string]interface {}")
    return _merge_map(kind, target, patch, ())


def _merge_key(kind: Kind, path: tuple[str, ...]) -> Any:
    """By what the list at a path is merged: a key, None for plain values, or _ATOMIC."""
    name, parent = path[-1], path[-2] if len(path) > 1 else ""
    if name == "ports":
        if parent in ("containers", "initContainers", "ephemeralContainers"):
            return "containerPort"
        return "port" if kind.kind == "Service" and parent == "spec" else _ATOMIC
    if name == "finalizers":
        return None if parent == "metadata" else _ATOMIC
    return _MERGE_KEYS.get(name, _ATOMIC)


def _merge_map(kind: Kind, target: dict[str, Any], patch: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {name: copy.deepcopy(value) for name, value in patch.items() if name != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown patch type found in map: map[{_DIRECTIVE}:{directive}]")
    result = _retained(target, patch)
    for name, value in _values(patch).items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            below = result.get(name)
            result[name] = _merge_map(kind, below if isinstance(below, dict) else {}, value, (*path, name))
        elif isinstance(value, list):
            result[name] = _merge_list(kind, result.get(name), value, patch, (*path, name))
        else:
            result[name] = value
    return result


def _retained(target: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    keys = patch.get(_RETAIN_KEYS)
    if keys is None:
        return dict(target)
    if not isinstance(keys, list) or any(
        name not in keys for name, value in _values(patch).items() if value is not None
    ):
        raise bad_request("retainKeys list must contain all fields present in the patch")
    return {name: value for name, value in target.items() if name in keys}


def _values(patch: dict[str, Any]) -> dict[str, Any]:
    """What a patch sets; lists that it only reorders or takes from are there as empty lists."""
    values = {name: value for name, value in patch.items() if not name.startswith("$")}
    for name in patch:
        for directive in (_ORDER, _DELETE_PRIMITIVES):
            if name.startswith(directive):
                values.setdefault(name.removeprefix(directive), [])
    return values


def _merge_list(
    kind: Kind, target: Any, patch: list[Any], siblings: dict[str, Any], path: tuple[str, ...]
) -> list[Any]:
    key = _merge_key(kind, path)
    live = target if isinstance(target, list) else []
    order = siblings.get(f"{_ORDER}{path[-1]}")
    if key is _ATOMIC:
        return copy.deepcopy(patch)
    if key is None:
        gone = siblings.get(f"{_DELETE_PRIMITIVES}{path[-1]}") or []
        merged = [each for each in live if each not in gone]
        merged += [each for each in patch if each not in merged]
        return merged if order is None else _ordered(merged, order, live, _itself)
    if any(_directive(each) == "replace" for each in patch):
        return [copy.deepcopy(each) for each in patch if _DIRECTIVE not in each]
    merged = _merge_elements(kind, live, patch, key, path)
    if order is None:
        return merged

    def identity(item: Any) -> Any:
        return item.get(key) if isinstance(item, dict) else item

    return _ordered(merged, order, live, identity)


def _directive(element: Any) -> Any:
    return element.get(_DIRECTIVE) if isinstance(element, dict) else None


def _merge_elements(kind: Kind, live: list[Any], patch: list[Any], key: str, path: tuple[str, ...]) -> list[Any]:
    for each in patch:
        if not isinstance(each, dict) or key not in each:
            raise rejected(f"map: {each} does not contain declared merge key: {key}")
    gone = [each[key] for each in patch if _directive(each) == "delete"]
    merged = [each for each in live if not (isinstance(each, dict) and each.get(key) in gone)]
    for each in patch:
        if _directive(each) == "delete":
            continue
        position = next((at for at, old in enumerate(merged) if old.get(key) == each[key]), None)
        if position is None:
            merged.append(_merge_map(kind, {}, each, path))
        else:
            merged[position] = _merge_map(kind, merged[position], each, path)
    return merged


def _itself(item: Any) -> Any:
    return item


def _ordered(items: list[Any], order: list[Any], live: list[Any], identity: Any) -> list[Any]:
    """The items of the order in that order, with the others put where they were among them."""
    wanted = [identity(each) for each in order]
    before = [identity(each) for each in live]
    listed = sorted((each for each in items if identity(each) in wanted), key=lambda each: wanted.index(identity(each)))
    others = [each for each in items if identity(each) not in wanted]
    result = []
    while listed and others:
        first, second = identity(others[0]), identity(listed[0])
        other_goes_first = first in before and second in before and before.index(first) < before.index(second)
        result.append(others.pop(0) if other_goes_first else listed.pop(0))
    return result + others + listed
