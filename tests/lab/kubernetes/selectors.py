# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Label and field selectors of list and watch requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lab.kubernetes import errors
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object

Predicate = Callable[[Object], bool]

_SET = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^=!\s]+)\s*(?P<operator>==|=|!=)\s*(?P<value>.*)")
# Split at commas that are not within parentheses.
_REQUIREMENTS = re.compile(r",(?![^(]*\))")

_COMMON_FIELDS = ("metadata.name", "metadata.namespace")
# What each kind can be selected by beside its name.
_FIELDS: dict[str, tuple[str, ...]] = {
    "Event": (
        "involvedObject.apiVersion",
        "involvedObject.fieldPath",
        "involvedObject.kind",
        "involvedObject.name",
        "involvedObject.namespace",
        "involvedObject.resourceVersion",
        "involvedObject.uid",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "Job": ("status.successful",),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
    "Pod": (
        "spec.hostNetwork",
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.nominatedNodeName",
        "status.phase",
        "status.podIP",
    ),
    "ReplicaSet": ("status.replicas",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.type"),
}
# What is false is not there.
_FLAGS = ("spec.hostNetwork", "spec.unschedulable")
# Where a field is, if not where its name says.
_ELSEWHERE = {"source": "source.component", "status.successful": "status.succeeded"}


def predicate(kind: Kind, labels: str, fields: str) -> Predicate:
    """
    :raises StatusError: 400 for a selector that cannot be read.
    """
    tests = [_label_test(each.strip()) for each in _REQUIREMENTS.split(labels) if each.strip()]
    tests += [_field_test(kind, each.strip()) for each in fields.split(",") if each.strip()]
    return lambda item: all(test(item) for test in tests)


def _label_test(text: str) -> Predicate:
    if match := _SET.fullmatch(text):
        values = {value.strip() for value in match["values"].split(",")}
        key = match["key"]
        if match["operator"] == "in":
            return lambda item: _labels(item).get(key) in values
        return lambda item: _labels(item).get(key) not in values
    if match := _EQUALITY.fullmatch(text):
        name, wanted = match["key"], match["value"]
        if match["operator"] == "!=":
            return lambda item: _labels(item).get(name) != wanted
        return lambda item: _labels(item).get(name) == wanted
    if " " in text:
        raise errors.bad_request(f'unable to parse requirement: found "{text}"')
    if text.startswith("!"):
        return lambda item: text[1:].strip() not in _labels(item)
    return lambda item: text in _labels(item)


def _field_test(kind: Kind, text: str) -> Predicate:
    match = _EQUALITY.fullmatch(text)
    if not match:
        raise errors.bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    name, wanted = match["key"], match["value"]
    if name not in (*_COMMON_FIELDS, *_FIELDS.get(kind.kind, ())):
        raise errors.bad_request(f"field label not supported: {name}")
    if name in _FLAGS and wanted == "false":
        wanted = ""
    path = _ELSEWHERE.get(name, name).split(".")
    negative = match["operator"] == "!="
    return lambda item: (_field(item, path) == wanted) != negative


def _labels(item: Object) -> dict[str, str]:
    return item["metadata"].get("labels") or {}


def _field(item: Object, path: list[str]) -> str:
    value: Any = item
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else ""
    return "" if value is None else str(value)
