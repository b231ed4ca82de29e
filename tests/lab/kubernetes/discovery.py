# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server says of itself: version, groups, resources; also in the aggregated form that kubectl asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.kubernetes.registry import KINDS, STANDARD_VERBS, Kind

VERSION = {
    "major": "1",
    "minor": "34",
    "emulationMajor": "1",
    "emulationMinor": "34",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "33",
    "gitVersion": "v1.34.2",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2025-11-11T19:03:04Z",
    "goVersion": "go1.24.9",
    "compiler": "gc",
    "platform": "linux/amd64",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True)
class Subresource:
    owner: str
    name: str
    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    version: str = ""


_STATUS_VERBS = ("get", "patch", "update")
_EXTRA = (
    Subresource("pods", "log", "Pod", ("get",)),
    Subresource("namespaces", "finalize", "Namespace", ("update",)),
    Subresource("serviceaccounts", "token", "TokenRequest", ("create",), "authentication.k8s.io", "v1"),
)
# Questions that are asked by creating an object, which is not stored.
REVIEWS = (
    Kind("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", False),
    Kind("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", False),
)


def groups() -> dict[str, list[str]]:
    """The named groups in the order of discovery, and their versions, the preferred one first."""
    found: dict[str, list[str]] = {}
    # Of v1 and v1beta1, the shorter is the stable one.
    for group, version in sorted({(kind.group, kind.version) for kind in (*KINDS, *REVIEWS) if kind.group}):
        found.setdefault(group, []).append(version)
    return found


def core_versions(address: str) -> dict[str, Any]:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list() -> dict[str, Any]:
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(*each) for each in groups().items()]}


def group(name: str) -> dict[str, Any] | None:
    versions = groups().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if versions else None


def resource_list(group_name: str, version: str) -> dict[str, Any] | None:
    resources = [row for kind in _kinds(group_name, version) for row in _resources(kind)]
    if not resources:
        return None
    group_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def aggregated(*, core: bool) -> dict[str, Any]:
    wanted = {"": ["v1"]} if core else groups()
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [_aggregated_group(*each) for each in wanted.items()],
    }


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _kinds(group_name: str, version: str) -> Iterable[Kind]:
    return (kind for kind in (*KINDS, *REVIEWS) if (kind.group, kind.version) == (group_name, version))


def _verbs(kind: Kind) -> tuple[str, ...]:
    if kind in REVIEWS:
        return ("create",)
    return tuple(verb for verb in STANDARD_VERBS if not (kind.kind == "Namespace" and verb == "deletecollection"))


def _resources(kind: Kind) -> Iterable[dict[str, Any]]:
    row: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(_verbs(kind)),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    yield row
    for each in _subresources(kind):
        other = {"group": each.group, "version": each.version} if each.group else {}
        name = f"{kind.plural}/{each.name}"
        common = {"namespaced": kind.namespaced, "kind": each.kind, "verbs": list(each.verbs)}
        yield {"name": name, "singularName": "", **other, **common}


def _subresources(kind: Kind) -> Iterable[Subresource]:
    for name in kind.subresources:
        if name == "scale":
            yield Subresource(kind.plural, "scale", "Scale", _STATUS_VERBS, "autoscaling", "v1")
        else:
            yield Subresource(kind.plural, name, kind.kind, _STATUS_VERBS)
    if not kind.group:
        yield from (each for each in _EXTRA if each.owner == kind.plural)


def _aggregated_group(name: str, versions: list[str]) -> dict[str, Any]:
    metadata = {"name": name, "creationTimestamp": None} if name else {"creationTimestamp": None}
    return {"metadata": metadata, "versions": [_aggregated_version(name, version) for version in versions]}


def _aggregated_version(name: str, version: str) -> dict[str, Any]:
    resources = [_aggregated_resource(kind) for kind in _kinds(name, version)]
    return {"version": version, "resources": resources, "freshness": "Current"}


def _aggregated_resource(kind: Kind) -> dict[str, Any]:
    row: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(_verbs(kind)),
    }
    if kind.short_names:
        row["shortNames"] = list(kind.short_names)
    if kind.categories:
        row["categories"] = list(kind.categories)
    subresources = [
        {
            "subresource": each.name,
            "responseKind": {
                "group": each.group or kind.group,
                "version": each.version or kind.version,
                "kind": each.kind,
            },
            "verbs": list(each.verbs),
        }
        for each in _subresources(kind)
    ]
    return {**row, "subresources": subresources} if subresources else row
