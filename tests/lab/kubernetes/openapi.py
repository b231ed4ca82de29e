# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenAPI documents of the API server, and the field validation that goes by the same schemas.

Both are made from the models of the Kubernetes Python client, which is imported when they are first asked for. The
models leave out how lists are merged, so that is a table here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from lab.kubernetes.registry import KINDS, Kind
from lab.kubernetes.store import Object

Schema = dict[str, Any]

INFO = {"title": "Kubernetes", "version": "v1.34.0"}

_META = "io.k8s.apimachinery.pkg.apis.meta.v1"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_TIME = f"{_META}.Time"
_MICRO_TIME = f"{_META}.MicroTime"
_FIELDS = f"{_META}.FieldsV1"


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# The client's types say string, int and datetime where the API has types of its own.
_QUANTITIES = _words(
    "allocatable allocatedResources capacity default defaultRequest divisor hard limits max maxLimitRequestRatio min "
    "overhead requests sizeLimit used"
)
_MICRO_TIMES = _words("acquireTime eventTime lastObservedTime renewTime")
_INT64 = _words(
    "activeDeadlineSeconds deletionGracePeriodSeconds expirationSeconds fsGroup generation gracePeriodSeconds "
    "observedGeneration remainingItemCount runAsGroup runAsUser sizeBytes supplementalGroups "
    "terminationGracePeriodSeconds tolerationSeconds"
)

# How lists and maps are merged


def _keyed(*keys: str, strategy: str = "merge") -> Schema:
    return {
        "x-kubernetes-list-map-keys": list(keys),
        "x-kubernetes-list-type": "map",
        "x-kubernetes-patch-merge-key": keys[0],
        "x-kubernetes-patch-strategy": strategy,
    }


_ATOMIC: Schema = {"x-kubernetes-list-type": "atomic"}
_SET: Schema = {"x-kubernetes-list-type": "set"}
_ATOMIC_MAP: Schema = {"x-kubernetes-map-type": "atomic"}
_BY_NAME = _keyed("name")
_BY_TYPE = _keyed("type")

_MERGING: dict[tuple[str, str], Schema] = {
    ("Container", "args"): _ATOMIC,
    ("Container", "command"): _ATOMIC,
    ("Container", "env"): _BY_NAME,
    ("Container", "envFrom"): _ATOMIC,
    ("Container", "ports"): _keyed("containerPort", "protocol"),
    ("Container", "resizePolicy"): _ATOMIC,
    ("Container", "volumeDevices"): _keyed("devicePath"),
    ("Container", "volumeMounts"): _keyed("mountPath"),
    ("CronJobStatus", "active"): _ATOMIC,
    ("DaemonSetStatus", "conditions"): _BY_TYPE,
    ("DeploymentSpec", "strategy"): {"x-kubernetes-patch-strategy": "retainKeys"},
    ("DeploymentStatus", "conditions"): _BY_TYPE,
    ("Endpoint", "addresses"): _SET,
    ("EndpointSlice", "endpoints"): _ATOMIC,
    ("EndpointSlice", "ports"): _ATOMIC,
    ("EndpointSubset", "addresses"): _ATOMIC,
    ("EndpointSubset", "notReadyAddresses"): _ATOMIC,
    ("EndpointSubset", "ports"): _ATOMIC,
    ("Endpoints", "subsets"): _ATOMIC,
    ("JobStatus", "conditions"): _ATOMIC
    | {"x-kubernetes-patch-merge-key": "type", "x-kubernetes-patch-strategy": "merge"},
    ("LabelSelector", "matchExpressions"): _ATOMIC,
    ("LabelSelectorRequirement", "values"): _ATOMIC,
    ("LimitRangeSpec", "limits"): _ATOMIC,
    ("LoadBalancerStatus", "ingress"): _ATOMIC,
    ("MatchResources", "excludeResourceRules"): _ATOMIC,
    ("MatchResources", "resourceRules"): _ATOMIC,
    ("MutatingAdmissionPolicySpec", "matchConditions"): _BY_NAME,
    ("MutatingAdmissionPolicySpec", "mutations"): _ATOMIC,
    ("MutatingAdmissionPolicySpec", "variables"): _BY_NAME,
    ("NamedRuleWithOperations", "apiGroups"): _ATOMIC,
    ("NamedRuleWithOperations", "apiVersions"): _ATOMIC,
    ("NamedRuleWithOperations", "operations"): _ATOMIC,
    ("NamedRuleWithOperations", "resourceNames"): _ATOMIC,
    ("NamedRuleWithOperations", "resources"): _ATOMIC,
    ("NamespaceSpec", "finalizers"): _ATOMIC,
    ("NamespaceStatus", "conditions"): _BY_TYPE,
    ("NodeSpec", "podCIDRs"): _SET | {"x-kubernetes-patch-strategy": "merge"},
    ("NodeSpec", "taints"): _ATOMIC,
    ("NodeStatus", "addresses"): _BY_TYPE,
    ("NodeStatus", "conditions"): _BY_TYPE,
    ("NodeStatus", "images"): _ATOMIC,
    ("ObjectMeta", "finalizers"): _SET | {"x-kubernetes-patch-strategy": "merge"},
    ("ObjectMeta", "managedFields"): _ATOMIC,
    ("ObjectMeta", "ownerReferences"): _keyed("uid"),
    ("PersistentVolumeClaimSpec", "accessModes"): _ATOMIC,
    ("PersistentVolumeClaimStatus", "accessModes"): _ATOMIC,
    ("PersistentVolumeClaimStatus", "conditions"): _BY_TYPE,
    ("PersistentVolumeSpec", "accessModes"): _ATOMIC,
    ("PersistentVolumeSpec", "mountOptions"): _ATOMIC,
    ("PodDisruptionBudgetSpec", "selector"): {"x-kubernetes-patch-strategy": "replace"},
    ("PodDisruptionBudgetStatus", "conditions"): _BY_TYPE,
    ("PodSecurityContext", "supplementalGroups"): _ATOMIC,
    ("PodSecurityContext", "sysctls"): _ATOMIC,
    ("PodSpec", "containers"): _BY_NAME,
    ("PodSpec", "ephemeralContainers"): _BY_NAME,
    ("PodSpec", "hostAliases"): _keyed("ip"),
    ("PodSpec", "imagePullSecrets"): _BY_NAME,
    ("PodSpec", "initContainers"): _BY_NAME,
    ("PodSpec", "nodeSelector"): _ATOMIC_MAP,
    ("PodSpec", "readinessGates"): _ATOMIC,
    ("PodSpec", "resourceClaims"): _keyed("name", strategy="merge,retainKeys"),
    ("PodSpec", "schedulingGates"): _BY_NAME,
    ("PodSpec", "tolerations"): _ATOMIC,
    ("PodSpec", "topologySpreadConstraints"): _keyed("topologyKey", "whenUnsatisfiable"),
    ("PodSpec", "volumes"): _keyed("name", strategy="merge,retainKeys"),
    ("PodStatus", "conditions"): _BY_TYPE,
    ("PodStatus", "containerStatuses"): _ATOMIC,
    ("PodStatus", "ephemeralContainerStatuses"): _ATOMIC,
    ("PodStatus", "hostIPs"): _ATOMIC | {"x-kubernetes-patch-merge-key": "ip", "x-kubernetes-patch-strategy": "merge"},
    ("PodStatus", "initContainerStatuses"): _ATOMIC,
    ("PodStatus", "podIPs"): _keyed("ip"),
    ("PolicyRule", "apiGroups"): _ATOMIC,
    ("PolicyRule", "nonResourceURLs"): _ATOMIC,
    ("PolicyRule", "resourceNames"): _ATOMIC,
    ("PolicyRule", "resources"): _ATOMIC,
    ("PolicyRule", "verbs"): _ATOMIC,
    ("ProjectedVolumeSource", "sources"): _ATOMIC,
    ("ReplicaSetStatus", "conditions"): _BY_TYPE,
    ("ResourceQuotaSpec", "scopes"): _ATOMIC,
    ("ServiceAccount", "imagePullSecrets"): _ATOMIC,
    ("ServiceAccount", "secrets"): _BY_NAME,
    ("ServiceSpec", "clusterIPs"): _ATOMIC,
    ("ServiceSpec", "externalIPs"): _ATOMIC,
    ("ServiceSpec", "ipFamilies"): _ATOMIC,
    ("ServiceSpec", "loadBalancerSourceRanges"): _ATOMIC,
    ("ServiceSpec", "ports"): _keyed("port", "protocol") | {"x-kubernetes-patch-merge-key": "port"},
    ("ServiceSpec", "selector"): _ATOMIC_MAP,
    ("ServiceStatus", "conditions"): _BY_TYPE,
    ("StatefulSetSpec", "volumeClaimTemplates"): _ATOMIC,
    ("StatefulSetStatus", "conditions"): _BY_TYPE,
    ("TypeChecking", "expressionWarnings"): _ATOMIC,
    ("ValidatingAdmissionPolicyBindingSpec", "validationActions"): _SET,
    ("ValidatingAdmissionPolicySpec", "auditAnnotations"): _ATOMIC,
    ("ValidatingAdmissionPolicySpec", "matchConditions"): _BY_NAME,
    ("ValidatingAdmissionPolicySpec", "validations"): _ATOMIC,
    ("ValidatingAdmissionPolicySpec", "variables"): _BY_NAME,
    ("ValidatingAdmissionPolicyStatus", "conditions"): _BY_TYPE,
}
# The containers that are started on demand have the lists of the others.
_MERGING |= {("EphemeralContainer", field): how for (owner, field), how in _MERGING.items() if owner == "Container"}

_ATOMIC_STRUCTURES = _words(
    "ConfigMapKeySelector EndpointAddress EndpointPort LabelSelector LocalObjectReference NamedRuleWithOperations NodeSelector "
    "NodeSelectorTerm ObjectFieldSelector ObjectReference OwnerReference ParamKind ParamRef ResourceFieldSelector RoleRef "
    "ScopeSelector ScopedResourceSelectorRequirement SecretKeySelector SecretReference Subject TypedLocalObjectReference Variable"
)

# Models

_VERSION_PREFIX = re.compile(r"^(?:[A-Z][a-z]+)??V\d+(?:(?:alpha|beta)\d+)?(?=[A-Z])")
# List[X] and Dict[str, X] in today's client, list[X] and dict(str, X) in older ones.
_LIST = re.compile(r"^[Ll]ist\[(.*)\]$")
_DICT = re.compile(r"^[Dd]ict[\[(]str, (.*)[\])]$")


def _element(text: str) -> str:
    """The type in lists and maps."""
    while found := _LIST.match(text) or _DICT.match(text):
        text = found[1]
    return text


@cache
def _model(name: str) -> Any:
    """A model of the client by its name; None for plain types."""
    from kubernetes.client import models

    return getattr(models, name, None) if name[:1].isupper() else None


def model_name(kind: Kind, suffix: str = "") -> str:
    """The name of a kind's model; it begins with the group if groups have kinds of the same name."""
    name = f"{kind.version.capitalize()}{kind.kind}{suffix}"
    return name if _model(name) else f"{_package_part(kind).capitalize()}{name}"


def _package_part(kind: Kind) -> str:
    return kind.group.split(".")[0] or "core"


def _reached(roots: Iterable[str]) -> Iterator[str]:
    """Names of models, and of all that they refer to."""
    waiting, seen = list(roots), set()
    while waiting:
        name = waiting.pop()
        model = _model(name)
        if model is None or name in seen:
            continue
        seen.add(name)
        yield name
        waiting += [_element(text) for text in model.openapi_types.values()]


@cache
def _schema_names() -> dict[str, str]:
    """What the API calls each model: the first package in this order that refers to a model is its own."""
    roots: dict[str, list[str]] = {
        _META: ["V1ObjectMeta", "V1ListMeta", "V1LabelSelector", "V1Condition", "V1Status", "V1DeleteOptions"],
        "io.k8s.api.core.v1": ["V1PodTemplate"],
    }
    for kind in KINDS:
        package = f"io.k8s.api.{_package_part(kind)}.{kind.version}"
        roots.setdefault(package, []).extend((model_name(kind), model_name(kind, "List")))
    roots["io.k8s.api.autoscaling.v1"] = ["V1Scale"]
    names: dict[str, str] = {}
    for package, models in roots.items():
        for name in _reached(models):
            names.setdefault(name, f"{package}.{_VERSION_PREFIX.sub('', name)}")
    return names


# Schemas


@dataclass(frozen=True)
class _Dialect:
    """OpenAPI 3.0 and Swagger 2.0 write the same schemas a little differently."""

    prefix: str
    three: bool

    def reference(self, name: str) -> Schema:
        return {"$ref": self.prefix + name}

    def value(self, name: str) -> Schema:
        """A reference that has words beside it, which 3.0 allows in C(allOf) only."""
        return {"allOf": [self.reference(name)]} if self.three else self.reference(name)

    def special(self) -> dict[str, Schema]:
        """The types that are no models."""
        number_or_string: Schema = {"type": "string", "format": "int-or-string"}
        quantity: Schema = {"type": "string"}
        if self.three:
            number_or_string = {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
            quantity = {"oneOf": [{"type": "string"}, {"type": "number"}]}
        return {
            _QUANTITY: {"description": "Quantity is a fixed-point representation of a number.", **quantity},
            _INT_OR_STRING: {"description": "An integer or a string.", **number_or_string},
            _TIME: {"description": "A time in RFC3339 form.", "type": "string", "format": "date-time"},
            _MICRO_TIME: {"description": "A time with microseconds.", "type": "string", "format": "date-time"},
            _FIELDS: {"description": "A set of fields in a data structure like a trie.", "type": "object"},
        }


_THREE = _Dialect("#/components/schemas/", True)
_TWO = _Dialect("#/definitions/", False)


def _type(dialect: _Dialect, text: str, field: str) -> Schema:
    if found := _LIST.match(text):
        return {"type": "array", "items": _type(dialect, found[1], field)}
    if found := _DICT.match(text):
        return {"type": "object", "additionalProperties": _type(dialect, found[1], field)}
    if text in _schema_names():
        return dialect.value(_schema_names()[text])
    if text == "str" and field in _QUANTITIES:
        return dialect.value(_QUANTITY)
    if text == "datetime":
        return dialect.value(_MICRO_TIME if field in _MICRO_TIMES else _TIME)
    if text == "object":
        return dialect.value(_FIELDS if field == "fieldsV1" else _INT_OR_STRING)
    if text == "int":
        return {"type": "integer", "format": "int64" if field in _INT64 else "int32"}
    return {
        "str": {"type": "string"},
        "bool": {"type": "boolean"},
        "bytes": {"type": "string", "format": "byte"},
        "float": {"type": "number", "format": "double"},
    }[text].copy()


def _described(model: Any) -> str:
    """Descriptions, and what is required, are known of today's client only: older ones have no C(model_fields)."""
    if not hasattr(model, "model_fields"):
        return ""
    return " ".join((model.__doc__ or "").partition("Attributes:")[0].split())


def _schema(dialect: _Dialect, name: str) -> Schema:
    model = _model(name)
    plain_name = _VERSION_PREFIX.sub("", name)
    documented = getattr(model, "model_fields", {})
    properties, required = {}, []
    for attribute, text in model.openapi_types.items():
        field = model.attribute_map[attribute]
        known = documented.get(attribute)
        properties[field] = _type(dialect, text, field) | _MERGING.get((plain_name, field), {})
        # The client has no words for a field whose type is a model: those of the model are better than none.
        if description := (known and known.description) or _described(_model(text)):
            properties[field]["description"] = description
        if known is not None and known.is_required():
            required.append(field)
    schema: Schema = {"type": "object", "properties": properties}
    if description := _described(model):
        schema["description"] = description
    if required:
        schema["required"] = sorted(required)
    if plain_name in _ATOMIC_STRUCTURES:
        schema |= _ATOMIC_MAP
    if named := _named(name):
        schema["x-kubernetes-group-version-kind"] = named
    return schema


def _gvk(kind: Kind, suffix: str = "") -> dict[str, str]:
    return {"group": kind.group, "kind": kind.kind + suffix, "version": kind.version}


@cache
def _kinds_of_models() -> dict[str, list[dict[str, str]]]:
    everywhere = sorted({(kind.group, kind.version) for kind in KINDS})
    found = {
        "V1DeleteOptions": [
            {"group": group, "kind": "DeleteOptions", "version": version} for group, version in everywhere
        ],
        "V1Scale": [{"group": "autoscaling", "kind": "Scale", "version": "v1"}],
        "V1Status": [{"group": "", "kind": "Status", "version": "v1"}],
    }
    for kind in KINDS:
        for suffix in ("", "List"):
            found[model_name(kind, suffix)] = [_gvk(kind, suffix)]
    return found


def _named(name: str) -> list[dict[str, str]]:
    return _kinds_of_models().get(name, [])


def _schemas(dialect: _Dialect, kinds: Iterable[Kind]) -> dict[str, Schema]:
    roots = ["V1DeleteOptions", "V1Status", "V1Scale"]
    for kind in kinds:
        roots += [model_name(kind), model_name(kind, "List")]
    found = dialect.special()
    for name in _reached(roots):
        found[_schema_names()[name]] = _schema(dialect, name)
    return dict(sorted(found.items()))


# Paths

_PATCHES = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
)
_JSON = ("application/json",)
_WRITE = {"dryRun": "string", "fieldManager": "string", "fieldValidation": "string"}
_DELETE = {
    "dryRun": "string",
    "gracePeriodSeconds": "integer",
    "orphanDependents": "boolean",
    "propagationPolicy": "string",
}
_LIST_QUERY = {
    "allowWatchBookmarks": "boolean",
    "continue": "string",
    "fieldSelector": "string",
    "labelSelector": "string",
    "limit": "integer",
    "resourceVersion": "string",
    "resourceVersionMatch": "string",
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
}
_Operation = tuple[str, str, str, dict[str, str], str]
# HTTP method, x-kubernetes-action, word of the operation's id, query parameters, and what the body is.
_COLLECTION_OPERATIONS: tuple[_Operation, ...] = (
    ("get", "list", "list", _LIST_QUERY, ""),
    ("post", "post", "create", _WRITE, "object"),
    ("delete", "deletecollection", "deleteCollection", _LIST_QUERY | _DELETE, "options"),
)
_ITEM_OPERATIONS: tuple[_Operation, ...] = (
    ("get", "get", "read", {}, ""),
    ("put", "put", "replace", _WRITE, "object"),
    ("patch", "patch", "patch", _WRITE | {"force": "boolean"}, "patch"),
    ("delete", "delete", "delete", _DELETE, "options"),
)


@dataclass(frozen=True)
class _Path:
    """
    :ivar kind: whose path it is.
    :ivar path: with C({namespace}) and C({name}).
    :ivar operations: as in the tables above.
    :ivar suffix: of the operations' ids.
    :ivar subresource: C(status), C(scale) or empty.
    """

    kind: Kind
    path: str
    operations: tuple[_Operation, ...]
    suffix: str = ""
    subresource: str = ""

    def schema_name(self, action: str) -> str:
        if self.subresource == "scale":
            return _schema_names()["V1Scale"]
        if action in ("delete", "deletecollection"):
            return _schema_names()["V1Status"]
        return _schema_names()[model_name(self.kind, "List" if action == "list" else "")]

    def named(self) -> dict[str, str]:
        if self.subresource == "scale":
            return {"group": "autoscaling", "kind": "Scale", "version": "v1"}
        return _gvk(self.kind)


def _paths(kind: Kind) -> Iterator[_Path]:
    root = f"/{_root(kind)}"
    collection = f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    yield _Path(kind, collection, _COLLECTION_OPERATIONS)
    yield _Path(kind, f"{collection}/{{name}}", _ITEM_OPERATIONS)
    for subresource in kind.subresources:
        path = f"{collection}/{{name}}/{subresource}"
        yield _Path(kind, path, _ITEM_OPERATIONS[:3], subresource.capitalize(), subresource)
    if kind.namespaced:
        yield _Path(kind, f"{root}/{kind.plural}", _COLLECTION_OPERATIONS[:1], "ForAllNamespaces")


def _root(kind: Kind) -> str:
    return f"apis/{kind.api_version}" if kind.group else f"api/{kind.version}"


def _operation_id(path: _Path, word: str) -> str:
    kind = path.kind
    group = "".join(part.capitalize() for part in (kind.group or "core").removesuffix(".k8s.io").split("."))
    namespaced = "Namespaced" if "{namespace}" in path.path else ""
    return f"{word}{group}{kind.version.capitalize()}{namespaced}{kind.kind}{path.suffix}"


def _parameter(dialect: _Dialect, name: str, where: str, type_: str) -> Schema:
    schema = {"type": type_, "uniqueItems": True}
    required = {"required": True} if where == "path" else {}
    return {"name": name, "in": where, **required, **({"schema": schema} if dialect.three else schema)}


def _path_item(dialect: _Dialect, path: _Path) -> Schema:
    names = re.findall(r"{(\w+)}", path.path)
    item: Schema = {"parameters": [_parameter(dialect, name, "path", "string") for name in sorted(names)]}
    for method, action, word, query, body in path.operations:
        item[method] = _operation(dialect, path, action, _operation_id(path, word), query, body)
    return item


def _operation(
    dialect: _Dialect, path: _Path, action: str, operation_id: str, query: dict[str, str], body: str
) -> Schema:
    answer = dialect.reference(path.schema_name(action))
    media_types = _PATCHES if body == "patch" else _JSON
    sent: Schema = {"type": "object"}
    if body == "object":
        sent = answer
    elif body == "options":
        sent = dialect.reference(_schema_names()["V1DeleteOptions"])
    operation: Schema = {
        "operationId": operation_id,
        "parameters": [_parameter(dialect, name, "query", type_) for name, type_ in query.items()],
        "responses": {"200": {"description": "OK"}, "401": {"description": "Unauthorized"}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": path.named(),
    }
    needed = {"required": True} if body in ("object", "patch") else {}
    if dialect.three:
        operation["responses"]["200"]["content"] = {each: {"schema": answer} for each in _JSON}
        if body:
            operation["requestBody"] = {"content": {each: {"schema": sent} for each in media_types}, **needed}
    else:
        operation |= {
            "consumes": list(media_types if body else ("*/*",)),
            "produces": list(_JSON),
            "schemes": ["https"],
        }
        operation["responses"]["200"]["schema"] = answer
        if body:
            operation["parameters"].append({"name": "body", "in": "body", "schema": sent, **needed})
    return operation


def _path_items(dialect: _Dialect, kinds: Iterable[Kind]) -> dict[str, Schema]:
    return {path.path: _path_item(dialect, path) for kind in kinds for path in _paths(kind)}


# Documents


def _roots() -> dict[str, list[Kind]]:
    roots: dict[str, list[Kind]] = {}
    for kind in KINDS:
        roots.setdefault(_root(kind), []).append(kind)
    return roots


@cache
def index() -> dict[str, Any]:
    """C(/openapi/v3): where the documents are, with a hash that lets clients keep them."""
    paths = {}
    for root in _roots():
        digest = hashlib.sha512(json.dumps(document(root), sort_keys=True).encode()).hexdigest().upper()
        paths[root] = {"serverRelativeURL": f"/openapi/v3/{root}?hash={digest}"}
    return {"paths": paths}


def document(group_version_path: str) -> dict[str, Any] | None:
    """The OpenAPI 3.0 document of a group version.

    :param group_version_path: C(api/v1) or C(apis/apps/v1), alone or after C(/openapi/v3/).
    """
    return _document(group_version_path.removeprefix("/openapi/v3").strip("/"))


@cache
def _document(root: str) -> dict[str, Any] | None:
    kinds = _roots().get(root)
    if kinds is None:
        return None
    return {
        "openapi": "3.0.0",
        "info": INFO,
        "paths": _path_items(_THREE, kinds),
        "components": {"schemas": _schemas(_THREE, kinds)},
    }


@cache
def v2() -> dict[str, Any]:
    """The Swagger 2.0 document of everything."""
    return {
        "swagger": "2.0",
        "info": INFO,
        "paths": _path_items(_TWO, KINDS),
        "definitions": _schemas(_TWO, KINDS),
    }


# Field validation


def unknown_fields(kind: Kind, item: Object) -> list[str]:
    """Paths of the fields that the kind does not have, as the API server's strict decoder names them."""
    return list(_unknown(model_name(kind), item, ""))


@cache
def _types_by_field(name: str) -> dict[str, str]:
    model = _model(name)
    return {field: model.openapi_types[attribute] for attribute, field in model.attribute_map.items()}


def _unknown(text: str, value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        if found := _LIST.match(text):
            for position, each in enumerate(value):
                yield from _unknown(found[1], each, f"{path}[{position}]")
    elif isinstance(value, dict):
        found = _DICT.match(text)
        if not found and _model(text) is None:
            return
        types = {} if found else _types_by_field(text)
        for field, each in value.items():
            below = f"{path}.{field}" if path else field
            type_ = found[1] if found else types.get(field)
            if type_ is None:
                yield below
            elif below != "status":
                yield from _unknown(type_, each, below)
