# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies in Kubernetes' protobuf, which kubectl sends for what it builds itself: ``kubectl create namespace`` and so on.

An envelope (``k8s\\0`` and a runtime.Unknown) around the object. Field numbers: the generated.proto files of k8s.io/api and
k8s.io/apimachinery. Only those kinds and fields are known that kubectl's imperative commands send; answers are always JSON.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

CONTENT_TYPE = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"

# Go's encoder writes the zero values of fields without a pointer, which JSON leaves out.
_PLAIN = frozenset(
    [
        "stdin",
        "stdinOnce",
        "tty",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "hostPort",
        "paused",
        "nodePort",
        "minReadySeconds",
    ]
)

Reader = Callable[[Any], Any]
# Field number -> name, how to read it, and whether it is "one", a "list" or a "map".
Message = dict[int, tuple[str, Any, str]]


class Unsupported(Exception):
    """A kind or a field that the tables below do not know."""


def _text(value: Any) -> str:
    return bytes(value).decode()


def _bytes(value: Any) -> str:
    return base64.b64encode(value).decode()


def _number(value: Any) -> int:
    return value - 2**64 if value >= 2**63 else value


def _flag(value: Any) -> bool:
    return bool(value)


def _skip(_value: Any) -> None:
    return None


def _int_or_string(value: Any) -> int | str:
    fields = dict(_fields(value))
    return _text(fields.get(3, b"")) if fields.get(1) else _number(fields.get(2, 0))


def _quantity(value: Any) -> str:
    return _text(dict(_fields(value)).get(1, b""))


def _one(name: str, reader: Any = _text) -> tuple[str, Any, str]:
    return name, reader, "one"


def _list(name: str, reader: Any = _text) -> tuple[str, Any, str]:
    return name, reader, "list"


def _map(name: str, reader: Any = _text) -> tuple[str, Any, str]:
    return name, reader, "map"


_METADATA: Message = {
    1: _one("name"),
    2: _one("generateName"),
    3: _one("namespace"),
    5: _one("uid"),
    6: _one("resourceVersion"),
    8: _one("creationTimestamp", _skip),
    11: _map("labels"),
    12: _map("annotations"),
    14: _list("finalizers"),
}
_NAME_REFERENCE: Message = {1: _one("name")}
_ENV: Message = {1: _one("name"), 2: _one("value")}
_PORT: Message = {
    1: _one("name"),
    2: _one("hostPort", _number),
    3: _one("containerPort", _number),
    4: _one("protocol"),
}
_RESOURCES: Message = {1: _map("limits", _quantity), 2: _map("requests", _quantity)}
_CONTAINER: Message = {
    1: _one("name"),
    2: _one("image"),
    3: _list("command"),
    4: _list("args"),
    5: _one("workingDir"),
    6: _list("ports", _PORT),
    7: _list("env", _ENV),
    8: _one("resources", _RESOURCES),
    13: _one("terminationMessagePath"),
    14: _one("imagePullPolicy"),
    16: _one("stdin", _flag),
    17: _one("stdinOnce", _flag),
    18: _one("tty", _flag),
    20: _one("terminationMessagePolicy"),
}
_POD_SPEC: Message = {
    2: _list("containers", _CONTAINER),
    3: _one("restartPolicy"),
    4: _one("terminationGracePeriodSeconds", _number),
    6: _one("dnsPolicy"),
    7: _map("nodeSelector"),
    8: _one("serviceAccountName"),
    9: _one("serviceAccount"),
    10: _one("nodeName"),
    11: _one("hostNetwork", _flag),
    12: _one("hostPID", _flag),
    13: _one("hostIPC", _flag),
    16: _one("hostname"),
    17: _one("subdomain"),
    19: _one("schedulerName"),
}
_SELECTOR: Message = {1: _map("matchLabels")}
_TEMPLATE: Message = {1: _one("metadata", _METADATA), 2: _one("spec", _POD_SPEC)}
_DEPLOYMENT_SPEC: Message = {
    1: _one("replicas", _number),
    2: _one("selector", _SELECTOR),
    3: _one("template", _TEMPLATE),
    4: _one("strategy", {1: _one("type")}),
    5: _one("minReadySeconds", _number),
    6: _one("revisionHistoryLimit", _number),
    7: _one("paused", _flag),
    9: _one("progressDeadlineSeconds", _number),
}
_SERVICE_PORT: Message = {
    1: _one("name"),
    2: _one("protocol"),
    3: _one("port", _number),
    4: _one("targetPort", _int_or_string),
    5: _one("nodePort", _number),
}
_SERVICE_SPEC: Message = {
    1: _list("ports", _SERVICE_PORT),
    2: _map("selector"),
    3: _one("clusterIP"),
    4: _one("type"),
    7: _one("sessionAffinity"),
    10: _one("externalName"),
}
_TOKEN_REQUEST_SPEC: Message = {
    1: _list("audiences"),
    3: _one("boundObjectRef", {1: _one("kind"), 2: _one("apiVersion"), 3: _one("name"), 4: _one("uid")}),
    4: _one("expirationSeconds", _number),
}
_ACCESS: Message = {
    1: _one("namespace"),
    2: _one("verb"),
    3: _one("group"),
    4: _one("version"),
    5: _one("resource"),
    6: _one("subresource"),
    7: _one("name"),
}


def _kind(spec: Message | None = None, **more: tuple[str, Any, str]) -> Message:
    message: Message = {1: _one("metadata", _METADATA), 3: _one("status", _skip)}
    if spec is not None:
        message[2] = _one("spec", spec)
    return message | {int(number.removeprefix("n")): row for number, row in more.items()}


_KINDS: dict[tuple[str, str], Message] = {
    ("v1", "Namespace"): _kind({1: _list("finalizers")}),
    ("v1", "Pod"): _kind(_POD_SPEC),
    ("v1", "Service"): _kind(_SERVICE_SPEC),
    ("v1", "ServiceAccount"): _kind(
        n2=_list("secrets", _NAME_REFERENCE),
        n3=_list("imagePullSecrets", _NAME_REFERENCE),
        n4=_one("automountServiceAccountToken", _flag),
    ),
    ("v1", "ConfigMap"): _kind(n2=_map("data"), n3=_map("binaryData", _bytes), n4=_one("immutable", _flag)),
    ("v1", "Secret"): _kind(
        n2=_map("data", _bytes), n3=_one("type"), n4=_map("stringData"), n5=_one("immutable", _flag)
    ),
    ("apps/v1", "Deployment"): _kind(_DEPLOYMENT_SPEC),
    ("authentication.k8s.io/v1", "TokenRequest"): _kind(_TOKEN_REQUEST_SPEC),
    ("authentication.k8s.io/v1", "SelfSubjectReview"): {1: _one("metadata", _METADATA), 2: _one("status", _skip)},
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"): _kind({1: _one("resourceAttributes", _ACCESS)}),
    ("autoscaling/v1", "Scale"): _kind({1: _one("replicas", _number)}),
    ("v1", "DeleteOptions"): {
        1: _one("gracePeriodSeconds", _number),
        2: _one("preconditions", {1: _one("uid"), 2: _one("resourceVersion")}),
        3: _one("orphanDependents", _flag),
        4: _one("propagationPolicy"),
        5: _list("dryRun"),
    },
}


def decode(body: bytes) -> dict[str, Any]:
    """The object as JSON would have it.

    :raises Unsupported: for what kubectl's imperative commands do not send; ValueError for what is no such message.
    """
    if not body.startswith(MAGIC):
        raise ValueError("the body does not begin with the magic bytes of Kubernetes' protobuf")
    envelope = dict(_fields(body[len(MAGIC) :]))
    names = dict(_fields(envelope[1]))
    api_version, kind = _text(names.get(1, b"")), _text(names.get(2, b""))
    message = _KINDS.get((api_version, kind))
    if message is None:
        raise Unsupported(f"the lab does not read {kind} of {api_version} as protobuf")
    return {"apiVersion": api_version, "kind": kind, **_read(message, envelope.get(2, b""))}


def _read(message: Message, data: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for number, value in _fields(data):
        if number not in message:
            if not value:
                continue
            raise Unsupported(
                f"the lab does not know field {number} beside {', '.join(row[0] for row in message.values())}"
            )
        name, reader, form = message[number]
        if reader is _skip:
            continue
        if form == "map":
            entry = dict(_fields(value))
            result.setdefault(name, {})[_text(entry.get(1, b""))] = _value(reader, entry.get(2, b""))
        elif form == "list":
            result.setdefault(name, []).append(_value(reader, value))
        else:
            result[name] = _value(reader, value)
    return {name: value for name, value in result.items() if value not in ("", {}) and (value or name not in _PLAIN)}


def _value(reader: Any, value: Any) -> Any:
    return _read(reader, value) if isinstance(reader, dict) else reader(value)


def _fields(data: Any) -> Iterator[tuple[int, Any]]:
    """Field numbers and raw values: numbers for varints, bytes for what has a length."""
    position, data = 0, bytes(data)
    while position < len(data):
        tag, position = _varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, position = _varint(data, position)
            yield number, value
        elif wire_type == 2:
            length, position = _varint(data, position)
            yield number, data[position : position + length]
            position += length
        else:
            raise ValueError(f"unexpected wire type {wire_type}")


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return result, position
        shift += 7
