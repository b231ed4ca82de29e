# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server refuses of an object (k8s.io/apimachinery/pkg/util/validation, pkg/apis/*/validation)."""

from __future__ import annotations

import json
import re
from typing import Any

from lab.kubernetes import errors, pod_validation
from lab.kubernetes.pod_validation import LABEL, LABEL_WORDS, LONGEST_LABEL, PROTOCOLS, Causes, choice, port_number
from lab.kubernetes.pods import selects
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
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
_DATA_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_DATA_KEY_WORDS = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
    "regex used for validation is '[-._a-zA-Z0-9]+')"
)
# The names of Services are DNS labels in the older sense.
_OLD_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_OLD_LABEL_WORDS = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an "
    "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_KEY_WORDS = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_NAMES_ARE_FREE = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")
_WITH_TEMPLATE = ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet")
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
        if kind.kind == "Service" and not (_OLD_LABEL.fullmatch(name) and len(name) <= LONGEST_LABEL):
            yield "metadata.name", f'Invalid value: "{name}": {_OLD_LABEL_WORDS}'
        elif kind.kind == "Namespace" and not (LABEL.fullmatch(name) and len(name) <= LONGEST_LABEL):
            yield "metadata.name", f'Invalid value: "{name}": {LABEL_WORDS}'
        elif not (_SUBDOMAIN.fullmatch(name) and len(name) <= _LONGEST_NAME):
            yield "metadata.name", f'Invalid value: "{name}": {_SUBDOMAIN_WORDS}'
    for key, value in (metadata.get("labels") or {}).items():
        if not _is_qualified(key):
            yield "metadata.labels", f'Invalid value: "{key}": {_KEY_WORDS}'
        if value and not (_QUALIFIED.fullmatch(value) and len(value) <= LONGEST_LABEL):
            yield "metadata.labels", f'Invalid value: "{value}": {_VALUE_WORDS}'
    for key in metadata.get("annotations") or {}:
        if not _is_qualified(key.lower()):
            yield "metadata.annotations", f'Invalid value: "{key}": {_KEY_WORDS}'


def _is_qualified(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    return bool(
        _QUALIFIED.fullmatch(name) and len(name) <= LONGEST_LABEL and (not slash or _SUBDOMAIN.fullmatch(prefix))
    )


def _spec(kind: Kind, item: Object) -> Causes:
    spec = item.get("spec") or {}
    if kind.kind in _WITH_TEMPLATE:
        yield from _workload(spec)
    match kind.kind:
        case "Deployment":
            yield from _rollout(spec)
        case "Pod":
            yield from pod_validation.check(spec, "spec")
        case "Service":
            yield from _service(spec)
        case "ConfigMap" | "Secret":
            for key in [*(item.get("data") or {}), *(item.get("binaryData") or {})]:
                if not _DATA_KEY.fullmatch(key):
                    yield f"data[{key}]", f'Invalid value: "{key}": {_DATA_KEY_WORDS}'


def _workload(spec: Object) -> Causes:
    replicas = spec.get("replicas", 0)
    if replicas < 0:
        yield "spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0"
    template, selector = spec.get("template") or {}, spec.get("selector")
    labels = (template.get("metadata") or {}).get("labels")
    if not selector:
        yield "spec.selector", "Required value"
    if not selects(selector, {"metadata": {"labels": labels}}):
        why = "`selector` does not match template `labels`"
        yield "spec.template.metadata.labels", f"Invalid value: {_shown(labels)}: {why}"
    pod = template.get("spec") or {}
    yield from pod_validation.check(pod, "spec.template.spec")
    if pod.get("restartPolicy") in ("Never", "OnFailure"):
        yield from choice(pod, "restartPolicy", "spec.template.spec", ("Always",))


def _rollout(spec: Object) -> Causes:
    strategy = spec.get("strategy") or {}
    yield from choice(strategy, "type", "spec.strategy", ("Recreate", "RollingUpdate"))
    rolling = strategy.get("rollingUpdate")
    if strategy.get("type") == "Recreate" and rolling is not None:
        why = "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        yield "spec.strategy.rollingUpdate", why
    elif rolling and all(rolling.get(bound) in (0, "0%") for bound in ("maxSurge", "maxUnavailable")):
        why = f"Invalid value: {rolling['maxUnavailable']}: may not be 0 when `maxSurge` is 0"
        yield "spec.strategy.rollingUpdate.maxUnavailable", why
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None and deadline <= spec.get("minReadySeconds", 0):
        yield "spec.progressDeadlineSeconds", f"Invalid value: {deadline}: must be greater than minReadySeconds"


def _service(spec: Object) -> Causes:
    yield from choice(spec, "type", "spec", ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"))
    if spec.get("type") == "ExternalName":
        return
    ports = spec.get("ports") or []
    if not ports and spec.get("clusterIP") != "None":
        yield "spec.ports", "Required value"
    for place, port in enumerate(ports):
        at = f"spec.ports[{place}]"
        if len(ports) > 1 and not port.get("name"):
            yield f"{at}.name", "Required value"
        if port.get("port") == 0:
            yield f"{at}.port", "Invalid value: 0: must be between 1 and 65535, inclusive"
        else:
            yield from port_number(port.get("port"), f"{at}.port")
        yield from choice(port, "protocol", at, PROTOCOLS)


def _unchangeable(kind: Kind, item: Object, old: Object) -> Causes:
    spec, before = item.get("spec") or {}, old.get("spec") or {}
    yield from _new_finalizers(item["metadata"], old["metadata"])
    if kind.kind in ("ConfigMap", "Secret") and old.get("immutable"):
        for field in ("data", "binaryData", "immutable"):
            if item.get(field) != old.get(field):
                yield field, "Forbidden: field is immutable when `immutable` is set"
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


def _new_finalizers(metadata: Object, before: Object) -> Causes:
    added = [each for each in metadata.get("finalizers") or [] if each not in (before.get("finalizers") or [])]
    if added and "deletionTimestamp" in before:
        shown = ", ".join(f'"{each}"' for each in added)
        why = "no new finalizers can be added if the object is being deleted, found new finalizers"
        yield "metadata.finalizers", f"Forbidden: {why} []string{{{shown}}}"


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
