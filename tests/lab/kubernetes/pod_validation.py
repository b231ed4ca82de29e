# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server refuses of a pod's spec (pkg/apis/core/validation/validation.go)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lab.kubernetes.quantities import canonical, number
from lab.kubernetes.store import Object

Causes = Iterator[tuple[str, str]]

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LABEL_WORDS = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric "
    "character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
LONGEST_LABEL = 63
_ENVIRONMENT_NAME = re.compile(r"[ -<>-~]+")
_ENVIRONMENT_WORDS = "a valid environment variable name must consist only of printable ASCII characters other than '='"
_SHORTEST_TOKEN_S = 600
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
PROTOCOLS = ("SCTP", "TCP", "UDP")


def check(spec: Object, path: str) -> Causes:
    volumes = spec.get("volumes") or []
    yield from _volumes(volumes, f"{path}.volumes")
    containers, first = spec.get("containers") or [], spec.get("initContainers") or []
    if not containers:
        yield f"{path}.containers", "Required value"
    names: set[str] = set()
    known = {volume.get("name") for volume in volumes}
    for field, listed in (("initContainers", first), ("containers", containers)):
        for place, container in enumerate(listed):
            yield from _name(container, names, f"{path}.{field}[{place}]")
            yield from _container(container, f"{path}.{field}[{place}]", known)
    yield from choice(spec, "restartPolicy", path, ("Always", "OnFailure", "Never"))
    yield from choice(spec, "dnsPolicy", path, ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"))
    for place, toleration in enumerate(spec.get("tolerations") or []):
        at = f"{path}.tolerations[{place}]"
        yield from choice(toleration, "effect", at, ("NoSchedule", "PreferNoSchedule", "NoExecute"))
        yield from choice(toleration, "operator", at, ("Equal", "Exists"))


def choice(holder: Object, field: str, path: str, values: Iterable[str]) -> Causes:
    given = holder.get(field)
    if given and given not in values:
        supported = ", ".join(f'"{value}"' for value in values)
        yield f"{path}.{field}", f'Unsupported value: "{given}": supported values: {supported}'


def port_number(value: Any, path: str) -> Causes:
    if not value:
        yield path, "Required value"
    elif not isinstance(value, int) or not 1 <= value <= 65535:
        yield path, f"Invalid value: {value}: must be between 1 and 65535, inclusive"


def _name(named: Object, others: set[str], at: str) -> Causes:
    """A name that is a label, and no other's."""
    name = named.get("name") or ""
    if not name:
        yield f"{at}.name", "Required value"
    elif not LABEL.fullmatch(name) or len(name) > LONGEST_LABEL:
        yield f"{at}.name", f'Invalid value: "{name}": {LABEL_WORDS}'
    elif name in others:
        yield f"{at}.name", f'Duplicate value: "{name}"'
    others.add(name)


def _volumes(volumes: list[Object], path: str) -> Causes:
    names: set[str] = set()
    for place, volume in enumerate(volumes):
        at = f"{path}[{place}]"
        yield from _name(volume, names, at)
        sources = sorted(set(volume) - {"name"})
        for extra in sources[1:]:
            yield f"{at}.{extra}", "Forbidden: may not specify more than 1 volume type"
        for number_, source in enumerate((volume.get("projected") or {}).get("sources") or []):
            token, below = source.get("serviceAccountToken"), f"{at}.projected.sources[{number_}].serviceAccountToken"
            if token is None:
                continue
            if token["expirationSeconds"] < _SHORTEST_TOKEN_S:
                why = f"Invalid value: {token['expirationSeconds']}: may not specify a duration less than 10 minutes"
                yield f"{below}.expirationSeconds", why
            if not token.get("path"):
                yield f"{below}.path", "Required value"


def _container(container: Object, at: str, volumes: set[Any]) -> Causes:
    if not container.get("image"):
        yield f"{at}.image", "Required value"
    yield from choice(container, "imagePullPolicy", at, ("Always", "IfNotPresent", "Never"))
    for place, port in enumerate(container.get("ports") or []):
        yield from port_number(port.get("containerPort"), f"{at}.ports[{place}].containerPort")
        yield from choice(port, "protocol", f"{at}.ports[{place}]", PROTOCOLS)
    for place, variable in enumerate(container.get("env") or []):
        yield from _variable(variable, f"{at}.env[{place}]")
    yield from _mounts(container.get("volumeMounts") or [], f"{at}.volumeMounts", volumes)
    for probe in _PROBES:
        if probe in container:
            yield from _probe(container[probe], f"{at}.{probe}")
    yield from _resources(container.get("resources") or {}, f"{at}.resources")


def _variable(variable: Object, at: str) -> Causes:
    name = variable.get("name") or ""
    if not name:
        yield f"{at}.name", "Required value"
    elif not _ENVIRONMENT_NAME.fullmatch(name):
        yield f"{at}.name", f'Invalid value: "{name}": {_ENVIRONMENT_WORDS}'
    if variable.get("value") and variable.get("valueFrom"):
        yield f"{at}.valueFrom", 'Invalid value: "": may not be specified when `value` is not empty'


def _mounts(mounts: list[Object], path: str, volumes: set[Any]) -> Causes:
    paths: set[str] = set()
    for place, mount in enumerate(mounts):
        name, mount_path = mount.get("name") or "", mount.get("mountPath") or ""
        if not name:
            yield f"{path}[{place}].name", "Required value"
        elif name not in volumes:
            yield f"{path}[{place}].name", f'Not found: "{name}"'
        if not mount_path:
            yield f"{path}[{place}].mountPath", "Required value"
        elif mount_path in paths:
            yield f"{path}[{place}].mountPath", f'Invalid value: "{mount_path}": must be unique'
        paths.add(mount_path)


def _probe(probe: Object, at: str) -> Causes:
    handlers = [handler for handler in _HANDLERS if handler in probe]
    if not handlers:
        yield at, "Required value: must specify a handler type"
    for extra in handlers[1:]:
        yield f"{at}.{extra}", "Forbidden: may not specify more than 1 handler type"


def _resources(resources: Object, at: str) -> Causes:
    limits = resources.get("limits") or {}
    for name, amount in (resources.get("requests") or {}).items():
        if name in limits and number(amount) > number(limits[name]):
            why = f'Invalid value: "{canonical(amount)}": must be less than or equal to {name} limit of {limits[name]}'
            yield f"{at}.requests", why
