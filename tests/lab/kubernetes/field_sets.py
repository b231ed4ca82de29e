# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets of field paths (FieldsV1), and merge, comparison and removal by them, as sigs.k8s.io/structured-merge-diff does.

A path is a tuple of path elements in the notation of FieldsV1: C(f:spec), C(k:{"name":"x"}), C(v:"x").
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.kubernetes.copies import copied
from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object

Path = tuple[str, ...]
FieldSet = frozenset[Path]

# Shapes: how a value is merged


@dataclass(frozen=True)
class Granular:
    """A map or struct that is merged by field. Fields not named here are granular maps, atomic lists or scalars.

    :ivar always: the fields that the Go type writes even when they are empty, so that nobody adds them.
    """

    fields: tuple[tuple[str, Shape], ...] = ()
    always: tuple[str, ...] = ()
    _by_name: dict[str, Shape] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", dict(self.fields))

    def field(self, name: str) -> Shape:
        return self._by_name.get(name, PLAIN)


@dataclass(frozen=True)
class Atomic:
    """A value that has one owner and is replaced as a whole."""


@dataclass(frozen=True)
class MapList:
    """A list of type map: its items are known by key fields."""

    keys: tuple[str, ...]
    item: Shape


@dataclass(frozen=True)
class SetList:
    """A list of type set: its items are scalars, each its own key."""


Shape = Granular | Atomic | MapList | SetList


PLAIN = Granular()
ATOMIC = Atomic()
SET = SetList()


def _struct(*always: str, **fields: Shape) -> Granular:
    return Granular(tuple(fields.items()), always)


def _by(*keys: str, item: Shape = PLAIN) -> MapList:
    return MapList(keys, item)


# Kubernetes types, as far as they are not plain

_METADATA = _struct(finalizers=SET, ownerReferences=_by("uid", item=ATOMIC))
_CONDITIONS = _by("type")
_VALUE_FROM = _struct(fieldRef=ATOMIC, resourceFieldRef=ATOMIC, configMapKeyRef=ATOMIC, secretKeyRef=ATOMIC)
_RESOURCES = _struct(claims=_by("name"))
_CONTAINER = _struct(
    "resources",
    env=_by("name", item=_struct(valueFrom=_VALUE_FROM)),
    ports=_by("containerPort", "protocol"),
    volumeMounts=_by("mountPath"),
    volumeDevices=_by("devicePath"),
    resources=_RESOURCES,
)
_CLAIM_SPEC = _struct("resources", selector=ATOMIC, dataSource=ATOMIC)
_SECRET_REFERENCE = _struct(secretRef=ATOMIC)
_VOLUME = _struct(
    csi=_struct(nodePublishSecretRef=ATOMIC),
    flexVolume=_SECRET_REFERENCE,
    cephfs=_SECRET_REFERENCE,
    cinder=_SECRET_REFERENCE,
    iscsi=_SECRET_REFERENCE,
    rbd=_SECRET_REFERENCE,
    scaleIO=_SECRET_REFERENCE,
    storageos=_SECRET_REFERENCE,
    ephemeral=_struct(volumeClaimTemplate=_struct("metadata", "spec", metadata=_METADATA, spec=_CLAIM_SPEC)),
)
_POD_SPEC = _struct(
    "containers",
    containers=_by("name", item=_CONTAINER),
    initContainers=_by("name", item=_CONTAINER),
    ephemeralContainers=_by("name", item=_CONTAINER),
    volumes=_by("name", item=_VOLUME),
    imagePullSecrets=_by("name", item=ATOMIC),
    hostAliases=_by("ip"),
    topologySpreadConstraints=_by("topologyKey", "whenUnsatisfiable", item=_struct(labelSelector=ATOMIC)),
    schedulingGates=_by("name"),
    resourceClaims=_by("name"),
    resources=_RESOURCES,
    nodeSelector=ATOMIC,
    affinity=_struct(nodeAffinity=_struct(requiredDuringSchedulingIgnoredDuringExecution=ATOMIC)),
)
_TEMPLATE = _struct("metadata", "spec", metadata=_METADATA, spec=_POD_SPEC)
_JOB_SPEC = _struct("template", selector=ATOMIC, template=_TEMPLATE)
_WITH_CONDITIONS = _struct(conditions=_CONDITIONS)


def _object(spec: Shape = PLAIN, status: Shape = _WITH_CONDITIONS) -> Granular:
    return _struct("metadata", "spec", "status", metadata=_METADATA, spec=spec, status=status)


def _data(**fields: Shape) -> Granular:
    return _struct("metadata", metadata=_METADATA, **fields)


def _workload(*always: str) -> Granular:
    return _object(_struct("template", *always, selector=ATOMIC, template=_TEMPLATE))


_SHAPES: dict[str, Granular] = {
    "ClusterRoleBinding": _data(roleRef=ATOMIC),
    "CronJob": _object(
        _struct("jobTemplate", jobTemplate=_struct("metadata", "spec", metadata=_METADATA, spec=_JOB_SPEC))
    ),
    "DaemonSet": _workload("updateStrategy"),
    "Deployment": _workload("strategy"),
    "Event": _data(involvedObject=ATOMIC, related=ATOMIC),
    "Job": _object(_JOB_SPEC, PLAIN),
    "LimitRange": _struct("metadata", "spec", metadata=_METADATA),
    "Lease": _struct("metadata", "spec", metadata=_METADATA),
    "Namespace": _object(),
    "Node": _object(
        _struct(podCIDRs=SET, configSource=ATOMIC),
        _struct("daemonEndpoints", "nodeInfo", conditions=_CONDITIONS, addresses=_by("type")),
    ),
    "PersistentVolume": _object(
        _struct(
            nodeAffinity=_struct(required=ATOMIC), csi=_struct(nodeStageSecretRef=ATOMIC, nodePublishSecretRef=ATOMIC)
        )
    ),
    "PersistentVolumeClaim": _object(_CLAIM_SPEC),
    "Pod": _object(_POD_SPEC, _struct(conditions=_CONDITIONS, podIPs=_by("ip"), resourceClaimStatuses=_by("name"))),
    "PodDisruptionBudget": _object(_struct(selector=ATOMIC)),
    "ReplicaSet": _workload(),
    "ResourceQuota": _object(_struct(scopeSelector=ATOMIC), PLAIN),
    "RoleBinding": _data(roleRef=ATOMIC),
    "Service": _object(
        _struct(ports=_by("port", "protocol"), selector=ATOMIC), _struct("loadBalancer", conditions=_CONDITIONS)
    ),
    "ServiceAccount": _data(secrets=_by("name", item=ATOMIC)),
    "StatefulSet": _workload("updateStrategy"),
}
_OTHER = _data()

# The fields of a key that the schema has a default for.
_KEY_DEFAULTS = {"protocol": "TCP"}


def shape_of(kind: Kind) -> Granular:
    return _SHAPES.get(kind.kind, _OTHER)


# Path elements


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)


def _key_element(item: Any, keys: tuple[str, ...]) -> str:
    given = item if isinstance(item, dict) else {}
    return f"k:{_compact({key: given.get(key, _KEY_DEFAULTS.get(key, '')) for key in keys})}"


def children(value: Any, shape: Shape) -> list[tuple[str, Any, Shape]] | None:
    """The path elements below a value with their values and shapes; None for a leaf."""
    if isinstance(value, dict) and isinstance(shape, Granular):
        return [(f"f:{name}", child, shape.field(name)) for name, child in value.items()]
    if isinstance(value, list) and isinstance(shape, MapList):
        return [(_key_element(item, shape.keys), item, shape.item) for item in value]
    if isinstance(value, list) and isinstance(shape, SetList):
        return [(f"v:{_compact(item)}", item, ATOMIC) for item in value]
    return None


def written(path: Path) -> str:
    """As in messages: C(.spec.containers[name="x"].image)."""
    return "".join(_written_element(element) for element in path)


def _written_element(element: str) -> str:
    if element.startswith("f:"):
        return f".{element[2:]}"
    if element.startswith("k:"):
        return f"[{','.join(f'{name}={_compact(value)}' for name, value in json.loads(element[2:]).items())}]"
    return f"[={element[2:]}]"


def in_order(paths: Iterable[Path]) -> list[Path]:
    """As the server lists them: at each level those that end there, then those that go on."""
    return sorted(paths, key=lambda path: [(depth < len(path) - 1, element) for depth, element in enumerate(path)])


# FieldsV1


def decode(fields: dict[str, Any], prefix: Path = ()) -> FieldSet:
    found: set[Path] = set()
    for element, below in fields.items():
        if element == ".":
            found.add(prefix)
        elif below:
            found |= decode(below, (*prefix, element))
        else:
            found.add((*prefix, element))
    return frozenset(found)


def encode(paths: FieldSet) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path in sorted(paths):
        node = tree
        for element in path:
            node = node.setdefault(element, {})
    inner = {path[:length] for path in paths for length in range(1, len(path))}
    for path in paths & inner:
        node = tree
        for element in path:
            node = node[element]
        node["."] = {}
    return _sorted(tree)


def owned_tree(value: Any, shape: Shape) -> dict[str, Any]:
    """What L(encode) makes of all paths below a value that is new, without the paths themselves."""
    tree: dict[str, Any] = {}
    for element, child, child_shape in sorted(children(value, shape) or (), key=lambda each: each[0]):
        below = owned_tree(child, child_shape)
        tree[element] = {".": {}, **below} if below else {}
    return tree


def _sorted(tree: dict[str, Any]) -> dict[str, Any]:
    return {element: _sorted(tree[element]) for element in sorted(tree)}


# Values


# Lists that are written even when they are empty.
_KEPT_EMPTY = ("endpoints", "limits", "rules")


def tidied(value: Any, shape: Shape, filled: bool = False) -> Any:
    """A copy as the Go type would write it: without nulls, empty lists, labels and annotations.

    :param filled: with the structs that are always written.
    """
    if isinstance(value, dict) and isinstance(shape, Granular):
        kept = {name: tidied(child, shape.field(name), filled) for name, child in value.items() if _counts(name, child)}
        for name in shape.always if filled else ():
            empty: Any = [] if isinstance(shape.field(name), MapList) else tidied({}, shape.field(name), filled)
            kept.setdefault(name, empty)
        return kept
    if isinstance(value, list) and isinstance(shape, MapList):
        return [tidied(item, shape.item, filled) for item in value]
    return copied(value)


def _counts(name: str, value: Any) -> bool:
    if value == []:
        return name in _KEPT_EMPTY
    return value is not None and not (value == {} and name in ("labels", "annotations"))


def field_set(value: Any, shape: Shape, path: Path = ()) -> FieldSet:
    """The fields that one who applies this value owns."""
    below = children(value, shape)
    if below is None:
        return frozenset({path})
    found: set[Path] = {path} if value == {} and path else set()
    for element, child, child_shape in below:
        if not element.startswith("f:"):
            found.add((*path, element))
        found |= field_set(child, child_shape, (*path, element))
    return frozenset(found)


@dataclass(frozen=True)
class Comparison:
    added: FieldSet
    modified: FieldSet
    removed: FieldSet

    @property
    def same(self) -> bool:
        return not (self.added or self.modified or self.removed)

    def without(self, ignored: str) -> Comparison:
        """Without a field of the object's first level and all below."""
        kept = [
            frozenset(path for path in paths if path[0] != ignored)
            for paths in (self.added, self.modified, self.removed)
        ]
        return Comparison(*kept)


def compare(old: Any, new: Any, shape: Shape) -> Comparison:
    """The difference of two objects, by path; an inner node counts when it comes or goes."""
    added: set[Path] = set()
    modified: set[Path] = set()
    removed: set[Path] = set()

    def walk(old: Any, new: Any, shape: Shape, path: Path) -> None:
        before, after = children(old, shape), children(new, shape)
        if before is None or after is None:
            if old != new:
                modified.add(path)
            return
        befores = {element: (child, child_shape) for element, child, child_shape in before}
        afters = {element: (child, child_shape) for element, child, child_shape in after}
        for element, (child, child_shape) in befores.items():
            if element in afters:
                walk(child, afters[element][0], child_shape, (*path, element))
            else:
                removed.update(_all_paths(child, child_shape, (*path, element)))
        for element in afters.keys() - befores.keys():
            added.update(_all_paths(*afters[element], (*path, element)))

    walk(old, new, shape, ())
    return Comparison(frozenset(added), frozenset(modified), frozenset(removed))


def _all_paths(value: Any, shape: Shape, path: Path) -> Iterable[Path]:
    yield path
    for element, child, child_shape in children(value, shape) or ():
        yield from _all_paths(child, child_shape, (*path, element))


def merge(live: Any, applied: Any, shape: Shape) -> Any:
    if isinstance(live, dict) and isinstance(applied, dict) and isinstance(shape, Granular):
        merged = {name: copied(child) for name, child in live.items() if name not in applied}
        both = {name: merge(live.get(name), child, shape.field(name)) for name, child in applied.items()}
        # In the order of the live object, new fields at the end.
        return {
            name: both.get(name, merged.get(name)) for name in [*live, *(name for name in applied if name not in live)]
        }
    if isinstance(live, list) and isinstance(applied, list) and isinstance(shape, (MapList, SetList)):
        return _merge_lists(live, applied, shape)
    return copied(applied)


def _merge_lists(live: list[Any], applied: list[Any], shape: MapList | SetList) -> list[Any]:
    """Applied items in the order applied; items that only the live object has stay where they are among them."""
    item_shape = shape.item if isinstance(shape, MapList) else ATOMIC
    lives = [(element, item) for element, item, _shape in children(live, shape) or ()]
    applieds = [(element, item) for element, item, _shape in children(applied, shape) or ()]
    by_element = dict(lives)
    in_applied = dict(applieds)
    shared = [element for element, _item in applieds if element in by_element]
    merged: list[Any] = []
    done: set[str] = set()

    def take(element: str, item: Any) -> None:
        merged.append(merge(by_element.get(element), item, item_shape))
        done.add(element)

    left = right = 0
    while left < len(lives) or right < len(applieds):
        if left < len(lives):
            element, item = lives[left]
            if element not in in_applied:
                merged.append(copied(item))
                left += 1
                continue
            awaited = next((each for each in shared if each not in done), None)
            if element in done or (right < len(applieds) and element != awaited):
                left += 1
                continue
        if right < len(applieds):
            take(*applieds[right])
            right += 1
    return merged


def with_parents(paths: FieldSet) -> FieldSet:
    """With the named fields above the paths, so that a struct goes with the last field that somebody set in it."""
    parents = {path[:length] for path in paths for length in range(1, len(path)) if path[length - 1].startswith("f:")}
    return paths | parents


def remove(value: Any, shape: Shape, doomed: FieldSet, owned: FieldSet, path: Path = ()) -> Any:
    """The value without the doomed paths; None when nothing is left of it, unless somebody owns it when empty."""
    below = children(value, shape)
    if below is None:
        return value
    kept = []
    for element, child, child_shape in below:
        here = (*path, element)
        if here in doomed:
            continue
        left = remove(child, child_shape, doomed, owned, here)
        if left is not None or child is None:
            kept.append((element, left))
    if below and not kept and path not in owned:
        return None
    if isinstance(value, dict):
        return {element[2:]: child for element, child in kept}
    return [child for _rank, child in kept]


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(child) for name, child in value.items() if child is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in value]
    return value


def problems(item: Object, shape: Shape) -> list[str]:
    """What the server says of lists of type map and set that are not such."""
    found: list[str] = []

    def walk(value: Any, shape: Shape, path: Path) -> None:
        below = children(value, shape) or ()
        if isinstance(shape, MapList) and (missing := _missing_key(value, shape)):
            found.append(f"{written(path)}: associative list with keys has an element that omits {missing}")
            return
        seen: set[str] = set()
        for element, child, child_shape in below:
            if element in seen:
                found.append(f"{written(path)}: duplicate entries for key {_written_element(element)}")
            seen.add(element)
            walk(child, child_shape, (*path, element))

    walk(item, shape, ())
    return found


def _missing_key(items: Any, shape: MapList) -> str | None:
    for item in items if isinstance(items, list) else ():
        for key in shape.keys:
            if key not in _KEY_DEFAULTS and (not isinstance(item, dict) or key not in item):
                return f'key field "{key}" (and doesn\'t have default value)'
    return None
