# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server refuses of an object (k8s.io/apimachinery/pkg/util/validation, pkg/apis/*/validation)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from lab.kubernetes import errors
from lab.kubernetes.pods import selects
from lab.kubernetes.quantities import canonical
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object

Causes = Iterator[tuple[str, str]]

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_SUBDOMAIN_WORDS = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_VALUE_WORDS = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_NAMES_ARE_LABELS = ("Namespace", "Service")
_NAMES_ARE_FREE = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_WITH_TEMPLATE = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
_LONGEST_LABEL = 63
_LONGEST_NAME = 253


def check(kind: Kind, item: Object, old: Object | None) -> None:
    """
    :param old: what is stored; None for a creation.
    :raises StatusError: 422 with every cause.
    """
    causes = [*_metadata(kind, item), *_spec(kind, item)]
    if old is not None:
        causes += _unchangeable(kind, item, old)
    if causes:
        raise errors.invalid(kind, item["metadata"].get("name", ""), causes)


def _metadata(kind: Kind, item: Object) -> Causes:
    metadata = item["metadata"]
    name = metadata.get("name") or ""
    if not name and not metadata.get("generateName"):
        yield "metadata.name", "Required value: name or generateName is required"
    elif name and kind.kind not in _NAMES_ARE_FREE:
        if kind.kind in _NAMES_ARE_LABELS and not (_LABEL.fullmatch(name) and len(name) <= _LONGEST_LABEL):
            yield "metadata.name", f'Invalid value: "{name}": {_LABEL_WORDS}'
        elif not (_SUBDOMAIN.fullmatch(name) and len(name) <= _LONGEST_NAME):
            yield "metadata.name", f'Invalid value: "{name}": {_SUBDOMAIN_WORDS}'
    for key, value in (metadata.get("labels") or {}).items():
        if not _is_qualified(key):
            yield "metadata.labels", f'Invalid value: "{key}": {_KEY_WORDS}'
        if value and not (_QUALIFIED.fullmatch(value) and len(value) <= _LONGEST_LABEL):
            yield "metadata.labels", f'Invalid value: "{value}": {_VALUE_WORDS}'
    for key in metadata.get("annotations") or {}:
        if not _is_qualified(key.lower()):
            yield "metadata.annotations", f'Invalid value: "{key}": {_KEY_WORDS}'


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(
        _QUALIFIED.fullmatch(name) and len(name) <= _LONGEST_LABEL and (not slash or _SUBDOMAIN.fullmatch(prefix))
    )


def _spec(kind: Kind, item: Object) -> Causes:
    spec = item.get("spec") or {}
    if kind.kind in _WITH_TEMPLATE:
        yield from _workload(spec)
    if kind.kind == "Pod":
        yield from _pod(spec, "spec")
    if kind.kind == "Service" and spec.get("type") != "ExternalName":
        for place, port in enumerate(spec.get("ports") or []):
            if not _is_port(port.get("port")):
                yield (
                    f"spec.ports[{place}].port",
                    f"Invalid value: {port.get('port')}: must be between 1 and 65535, inclusive",
                )


def _workload(spec: Object) -> Causes:
    replicas = spec.get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        yield "spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0"
    template = spec.get("template") or {}
    selector = spec.get("selector")
    labels = (template.get("metadata") or {}).get("labels") or {}
    if not selector:
        yield "spec.selector", "Required value"
    elif not selects(selector, {"metadata": {"labels": labels}}):
        yield (
            "spec.template.metadata.labels",
            f"Invalid value: {_shown(labels)}: `selector` does not match template `labels`",
        )
    yield from _pod(template.get("spec") or {}, "spec.template.spec")


def _pod(spec: Object, path: str) -> Causes:
    containers = spec.get("containers") or []
    if not containers:
        yield f"{path}.containers", "Required value"
    names: set[str] = set()
    volumes = {volume.get("name") for volume in spec.get("volumes") or []}
    for place, container in enumerate(containers):
        at = f"{path}.containers[{place}]"
        name = container.get("name") or ""
        if not name:
            yield f"{at}.name", "Required value"
        elif not _LABEL.fullmatch(name) or len(name) > _LONGEST_LABEL:
            yield f"{at}.name", f'Invalid value: "{name}": {_LABEL_WORDS}'
        elif name in names:
            yield f"{at}.name", f'Duplicate value: "{name}"'
        names.add(name)
        if not container.get("image"):
            yield f"{at}.image", "Required value"
        yield from _container(container, at, volumes)


def _container(container: Object, at: str, volumes: set[Any]) -> Causes:
    for number, mount in enumerate(container.get("volumeMounts") or []):
        if mount.get("name") not in volumes:
            yield f"{at}.volumeMounts[{number}].name", f'Not found: "{mount.get("name")}"'
    resources = container.get("resources") or {}
    for field in ("limits", "requests"):
        for name, amount in (resources.get(field) or {}).items():
            try:
                canonical(amount)
            except ValueError as error:
                yield f"{at}.resources.{field}[{name}]", f'Invalid value: "{amount}": {error}'


def _unchangeable(kind: Kind, item: Object, old: Object) -> Causes:
    spec, before = item.get("spec") or {}, old.get("spec") or {}
    if kind.kind in _WITH_TEMPLATE and kind.kind != "ReplicaSet" and spec.get("selector") != before.get("selector"):
        yield "spec.selector", f"Invalid value: {_shown(spec.get('selector'))}: field is immutable"
    if kind.kind == "Pod" and _fixed(spec) != _fixed(before):
        yield (
            "spec",
            (
                "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
                "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
                "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
            ),
        )
    if kind.kind == "Service" and before.get("clusterIP") and spec.get("clusterIP") != before["clusterIP"]:
        yield "spec.clusterIPs[0]", f'Invalid value: ["{spec.get("clusterIP")}"]: may not change once set'


def _fixed(spec: Object) -> Object:
    changeable = (
        "activeDeadlineSeconds",
        "tolerations",
        "terminationGracePeriodSeconds",
        "nodeName",
        "schedulingGates",
    )
    rest = {name: value for name, value in spec.items() if name not in changeable}
    for field in ("containers", "initContainers"):
        if field in rest:
            rest[field] = [{**container, "image": ""} for container in rest[field]]
    return rest


def _shown(value: Any) -> str:
    """As in refusals."""
    return json.dumps(value, separators=(",", ":"))


def _is_port(value: Any) -> bool:
    return isinstance(value, int) and 1 <= value <= 65535
