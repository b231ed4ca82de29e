# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables as C(kubectl get) asks for them: columns and cells are computed by the API server, as in its printers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.kubernetes.registry import Kind
from lab.kubernetes.store import Object

Cells = list[Any]


@dataclass(frozen=True)
class Column:
    """
    :ivar priority: 1 for columns of C(kubectl get -o wide) only.
    """

    name: str
    description: str
    type: str = "string"
    format: str = ""
    priority: int = 0

    def definition(self) -> dict[str, Any]:
        return dict(vars(self))


def table(
    kind: Kind, items: list[Object], include_object: str = "Metadata", list_metadata: dict[str, Any] | None = None
) -> dict[str, Any]:
    """
    A C(meta.k8s.io/v1) Table.

    :param include_object: C(Metadata), C(Object) or C(None), as in the query parameter C(includeObject).
    :param list_metadata: of the list; without it the table is of a single object and has its resource version.
    """
    columns, cells = _PRINTERS.get((kind.group, kind.kind), _DEFAULT)
    if list_metadata is None:
        list_metadata = {"resourceVersion": items[0]["metadata"].get("resourceVersion", "")} if items else {}
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata,
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [{"cells": cells(item), "object": _embedded(kind, item, include_object)} for item in items],
    }


def _embedded(kind: Kind, item: Object, include_object: str) -> Object | None:
    if include_object == "None":
        return None
    if include_object == "Object":
        return {"kind": kind.kind, "apiVersion": kind.api_version, **item}
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"]}


# Times


def human_duration(seconds: float) -> str:
    """As C(duration.HumanDuration): about three significant digits."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 0:
        return "0s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return _two(minutes, "m", whole % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    if days < 365 * 8:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}" + (f"{small}{small_unit}" if small else "")


def _since(timestamp: str | None) -> str:
    if not timestamp:
        return "<unknown>"
    return human_duration((datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds())


def _age(item: Object) -> str:
    return _since(item["metadata"].get("creationTimestamp"))


# Parts of cells


def _name(item: Object) -> str:
    return str(item["metadata"]["name"])


def _spec(item: Object) -> dict[str, Any]:
    return item.get("spec") or {}


def _status(item: Object) -> dict[str, Any]:
    return item.get("status") or {}


def _joined(values: Iterable[Any], otherwise: str = "<none>") -> str:
    return ",".join(str(value) for value in values) or otherwise


def _some(values: list[str], otherwise: str) -> str:
    """The first three, and how many more there are."""
    if len(values) > 3:
        return f"{','.join(values[:3])} + {len(values) - 3} more..."
    return _joined(values, otherwise)


def _labels(labels: dict[str, str] | None) -> str:
    return _joined(f"{key}={value}" for key, value in sorted((labels or {}).items()))


def _selector(selector: dict[str, Any] | None) -> str:
    """A label selector in the notation of C(kubectl -l)."""
    selector = selector or {}
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or []:
        terms.append((each["key"], _expression(each)))
    return _joined(text for _key, text in sorted(terms))


def _expression(requirement: dict[str, Any]) -> str:
    key, operator = requirement["key"], requirement["operator"]
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    values = ",".join(sorted(requirement.get("values") or []))
    return f"{key} {operator.lower()} ({values})"


def _condition(item: Object, name: str) -> dict[str, Any]:
    return next((each for each in _status(item).get("conditions") or [] if each.get("type") == name), {})


def _holds(item: Object, name: str) -> bool:
    return _condition(item, name).get("status") == "True"


def _containers(template: dict[str, Any]) -> Cells:
    """Two cells: names and images."""
    containers = _spec(template).get("containers") or []
    names = ",".join(each.get("name", "") for each in containers)
    return [names, ",".join(each.get("image", "") for each in containers)]


# Pods


def _pod(item: Object) -> Cells:
    spec, status = _spec(item), _status(item)
    reason, ready, total, restarts, last = _pod_state(item)
    shown = f"{restarts} ({_since(last)} ago)" if restarts and last else str(restarts)
    addresses = [each["ip"] for each in status.get("podIPs") or []] or [status.get("podIP")]
    return [
        _name(item),
        f"{ready}/{total}",
        reason,
        shown,
        _age(item),
        addresses[0] or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        _readiness_gates(item),
    ]


def _readiness_gates(item: Object) -> str:
    gates = _spec(item).get("readinessGates") or []
    if not gates:
        return "<none>"
    return f"{sum(_holds(item, each['conditionType']) for each in gates)}/{len(gates)}"


def _pod_state(item: Object) -> tuple[str, int, int, int, str]:
    """Reason, ready and all containers, restarts, and when the last one was (empty if never)."""
    spec, status = _spec(item), _status(item)
    phase = status.get("phase", "")
    reason = status.get("reason") or phase
    if _condition(item, "PodScheduled").get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    init_containers = spec.get("initContainers") or []
    sidecars = {each["name"] for each in init_containers if each.get("restartPolicy") == "Always"}
    total = len(spec.get("containers") or []) + len(sidecars)

    initial = status.get("initContainerStatuses") or []
    waits_for, ready = _initialization(initial, sidecars, len(init_containers))
    counted = initial
    if waits_for:
        reason = waits_for
    if not waits_for or _holds(item, "Initialized"):
        containers = status.get("containerStatuses") or []
        reason, running = _containers_reason(containers, reason)
        ready += running
        counted = [each for each in initial if each["name"] in sidecars] + containers
        if reason == "Completed" and running:
            reason = "Running" if _holds(item, "Ready") else "NotReady"

    if item["metadata"].get("deletionTimestamp"):
        if status.get("reason") == "NodeLost":
            reason = "Unknown"
        elif phase not in ("Succeeded", "Failed"):
            reason = "Terminating"
    restarts = sum(each.get("restartCount", 0) for each in counted)
    return reason, ready, total, restarts, max((_last_finish(each) for each in counted), default="")


def _last_finish(container: dict[str, Any]) -> str:
    terminated = (container.get("lastState") or {}).get("terminated") or {}
    return terminated.get("finishedAt") or ""


def _initialization(statuses: list[dict[str, Any]], sidecars: set[str], total: int) -> tuple[str, int]:
    """What the pod's initialization waits for (empty when it is over), and how many sidecars are ready."""
    ready = 0
    for index, container in enumerate(statuses):
        state = container.get("state") or {}
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated and terminated.get("exitCode", 0) == 0:
            continue
        if container["name"] in sidecars and container.get("started"):
            ready += bool(container.get("ready"))
            continue
        if terminated:
            return f"Init:{_termination(terminated)}", ready
        if waiting.get("reason", "PodInitializing") != "PodInitializing":
            return f"Init:{waiting['reason']}", ready
        return f"Init:{index}/{total}", ready
    return "", ready


def _containers_reason(statuses: list[dict[str, Any]], reason: str) -> tuple[str, int]:
    """The reason of the first container that has one, and how many are ready."""
    running = 0
    for container in reversed(statuses):
        state = container.get("state") or {}
        if (state.get("waiting") or {}).get("reason"):
            reason = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            reason = _termination(state["terminated"])
        elif container.get("ready") and state.get("running") is not None:
            running += 1
    return reason, running


def _termination(terminated: dict[str, Any]) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


# Workloads


def _deployment(item: Object) -> Cells:
    spec, status = _spec(item), _status(item)
    return [
        _name(item),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(item),
        *_containers(spec.get("template") or {}),
        _selector(spec.get("selector")),
    ]


def _replica_set(item: Object) -> Cells:
    spec, status = _spec(item), _status(item)
    return [
        _name(item),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        _age(item),
        *_containers(spec.get("template") or {}),
        _selector(spec.get("selector")),
    ]


def _stateful_set(item: Object) -> Cells:
    spec = _spec(item)
    ready = f"{_status(item).get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [_name(item), ready, _age(item), *_containers(spec.get("template") or {})]


def _daemon_set(item: Object) -> Cells:
    spec, status = _spec(item), _status(item)
    template = spec.get("template") or {}
    return [
        _name(item),
        status.get("desiredNumberScheduled", 0),
        status.get("currentNumberScheduled", 0),
        status.get("numberReady", 0),
        status.get("updatedNumberScheduled", 0),
        status.get("numberAvailable", 0),
        _labels(_spec(template).get("nodeSelector")),
        _age(item),
        *_containers(template),
        _selector(spec.get("selector")),
    ]


def _job(item: Object) -> Cells:
    spec, status = _spec(item), _status(item)
    succeeded, parallelism = status.get("succeeded", 0), spec.get("parallelism") or 0
    if spec.get("completions") is not None:
        completions = f"{succeeded}/{spec['completions']}"
    else:
        completions = f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"
    return [
        _name(item),
        _job_status(item),
        completions,
        _job_duration(status),
        _age(item),
        *_containers(spec.get("template") or {}),
        _selector(spec.get("selector")),
    ]


def _job_status(item: Object) -> str:
    for name in ("Complete", "Failed"):
        if _holds(item, name):
            return name
    if item["metadata"].get("deletionTimestamp"):
        return "Terminating"
    for name in ("Suspended", "FailureTarget", "SuccessCriteriaMet"):
        if _holds(item, name):
            return name
    return "Running"


def _job_duration(status: dict[str, Any]) -> str:
    started, completed = status.get("startTime"), status.get("completionTime")
    if not started:
        return ""
    if not completed:
        return _since(started)
    return human_duration((datetime.fromisoformat(completed) - datetime.fromisoformat(started)).total_seconds())


def _cron_job(item: Object) -> Cells:
    spec, status = _spec(item), _status(item)
    job = _spec(spec.get("jobTemplate") or {})
    last = status.get("lastScheduleTime")
    return [
        _name(item),
        spec.get("schedule", ""),
        spec.get("timeZone") or "<none>",
        str(spec["suspend"]) if spec.get("suspend") is not None else "<unset>",
        len(status.get("active") or []),
        _since(last) if last else "<none>",
        _age(item),
        *_containers(job.get("template") or {}),
        _selector(job.get("selector")),
    ]


def _pod_disruption_budget(item: Object) -> Cells:
    spec = _spec(item)
    bounds = (str(spec[each]) if spec.get(each) is not None else "N/A" for each in ("minAvailable", "maxUnavailable"))
    return [_name(item), *bounds, _status(item).get("disruptionsAllowed", 0), _age(item)]


# The cluster


def _namespace(item: Object) -> Cells:
    return [_name(item), _status(item).get("phase", ""), _age(item)]


def _node(item: Object) -> Cells:
    info = _status(item).get("nodeInfo") or {}
    return [
        _name(item),
        _node_status(item),
        _node_roles(item),
        _age(item),
        info.get("kubeletVersion", ""),
        _node_address(item, "InternalIP"),
        _node_address(item, "ExternalIP"),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _node_status(item: Object) -> str:
    ready = _condition(item, "Ready")
    status = "Unknown"
    if ready:
        status = "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{status},SchedulingDisabled" if _spec(item).get("unschedulable") else status


def _node_roles(item: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = item["metadata"].get("labels") or {}
    roles = {label.removeprefix(prefix) for label in labels if label.startswith(prefix)}
    roles.add(labels.get("kubernetes.io/role", ""))
    return _joined(sorted(roles - {""}))


def _node_address(item: Object, name: str) -> str:
    addresses = _status(item).get("addresses") or []
    return next((each["address"] for each in addresses if each["type"] == name), "<none>")


def _event(item: Object) -> Cells:
    source, series = item.get("source") or {}, item.get("series") or {}
    target = item.get("involvedObject") or {}
    first = item.get("firstTimestamp") or item.get("eventTime")
    last = series.get("lastObservedTime") or item.get("lastTimestamp") or first
    names = (target.get("kind", "").lower(), target.get("name", ""))
    origin = (
        source.get("component") or item.get("reportingComponent", ""),
        source.get("host") or item.get("reportingInstance", ""),
    )
    return [
        _since(last),
        item.get("type", ""),
        item.get("reason", ""),
        "/".join(filter(None, names)),
        target.get("fieldPath", ""),
        ", ".join(filter(None, origin)),
        item.get("message", "").strip(),
        _since(first),
        series.get("count") or item.get("count") or 1,
        _name(item),
    ]


def _lease(item: Object) -> Cells:
    return [_name(item), _spec(item).get("holderIdentity") or "", _age(item)]


def _resource_quota(item: Object) -> Cells:
    status = _status(item)
    used = status.get("used") or {}
    requests: list[str] = []
    limits: list[str] = []
    for resource, hard in sorted((status.get("hard") or {}).items()):
        words = limits if resource.startswith("limits.") else requests
        words.append(f"{resource}: {used.get(resource, 0)}/{hard}")
    return [_name(item), ", ".join(requests), ", ".join(limits), _age(item)]


# Configuration and accounts


def _config_map(item: Object) -> Cells:
    return [_name(item), len(item.get("data") or {}) + len(item.get("binaryData") or {}), _age(item)]


def _secret(item: Object) -> Cells:
    return [_name(item), item.get("type", ""), len(item.get("data") or {}), _age(item)]


def _service_account(item: Object) -> Cells:
    return [_name(item), len(item.get("secrets") or []), _age(item)]


def _binding(item: Object) -> Cells:
    role = item.get("roleRef") or {}
    users: list[str] = []
    groups: list[str] = []
    accounts: list[str] = []
    for subject in item.get("subjects") or []:
        if subject.get("kind") == "ServiceAccount":
            accounts.append(f"{subject.get('namespace', '')}/{subject['name']}")
        else:
            (users if subject.get("kind") == "User" else groups).append(subject["name"])
    return [
        _name(item),
        f"{role.get('kind', '')}/{role.get('name', '')}",
        _age(item),
        ", ".join(users),
        ", ".join(groups),
        ", ".join(accounts),
    ]


# Network


def _service(item: Object) -> Cells:
    spec = _spec(item)
    return [
        _name(item),
        spec.get("type", ""),
        next(iter(spec.get("clusterIPs") or []), None) or spec.get("clusterIP") or "<none>",
        _external_addresses(item),
        _joined(_service_port(each) for each in spec.get("ports") or []),
        _age(item),
        _labels(spec.get("selector")),
    ]


def _external_addresses(item: Object) -> str:
    spec = _spec(item)
    given = spec.get("externalIPs") or []
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") == "LoadBalancer":
        ingress = (_status(item).get("loadBalancer") or {}).get("ingress") or []
        balanced = sorted({each.get("ip") or each.get("hostname") or "" for each in ingress} - {""})
        return _joined(balanced + given, "<pending>")
    return _joined(given)


def _service_port(port: dict[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def _endpoints(item: Object) -> Cells:
    found = []
    for subset in item.get("subsets") or []:
        addresses = [_host(each["ip"]) for each in subset.get("addresses") or []]
        ports = subset.get("ports") or []
        found += addresses if not ports else [f"{host}:{port['port']}" for port in ports for host in addresses]
    return [_name(item), _some(found, "<none>"), _age(item)]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _endpoint_slice(item: Object) -> Cells:
    ports = [str(each.get("port") or "*") for each in item.get("ports") or []]
    addresses = [address for each in item.get("endpoints") or [] for address in each.get("addresses") or []]
    return [_name(item), item.get("addressType", ""), _some(ports, "<unset>"), _some(addresses, "<unset>"), _age(item)]


# Storage

_ACCESS_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
_STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class"


def _access_modes(modes: list[str] | None) -> str:
    return ",".join(short for name, short in _ACCESS_MODES.items() if name in (modes or []))


def _storage_class(item: Object) -> str:
    annotations = item["metadata"].get("annotations") or {}
    return annotations.get(_STORAGE_CLASS) or _spec(item).get("storageClassName") or ""


def _volume_phase(item: Object) -> str:
    return "Terminating" if item["metadata"].get("deletionTimestamp") else _status(item).get("phase", "")


def _persistent_volume_claim(item: Object) -> Cells:
    spec, status = _spec(item), _status(item)
    volume = spec.get("volumeName", "")
    return [
        _name(item),
        _volume_phase(item),
        volume,
        (status.get("capacity") or {}).get("storage", "0") if volume else "",
        _access_modes(status.get("accessModes")) if volume else "",
        _storage_class(item),
        spec.get("volumeAttributesClassName") or "<unset>",
        _age(item),
        spec.get("volumeMode") or "<unset>",
    ]


def _persistent_volume(item: Object) -> Cells:
    spec = _spec(item)
    claim = spec.get("claimRef") or {}
    return [
        _name(item),
        (spec.get("capacity") or {}).get("storage", "0"),
        _access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _volume_phase(item),
        f"{claim['namespace']}/{claim['name']}" if claim.get("name") else "",
        _storage_class(item),
        spec.get("volumeAttributesClassName") or "<unset>",
        _status(item).get("reason", ""),
        _age(item),
        spec.get("volumeMode") or "<unset>",
    ]


def _plain(item: Object) -> Cells:
    return [_name(item), item["metadata"].get("creationTimestamp", "")]


# Columns

_NAME = Column("Name", "Name must be unique within a namespace.", format="name")
_CREATED = "The server time when this object was created, in RFC3339 form and UTC."
_AGE = Column("Age", _CREATED)
_CONTAINERS = Column("Containers", "Names of each container in the template.", priority=1)
_IMAGES = Column("Images", "Images referenced by each container in the template.", priority=1)
_SELECTOR = Column("Selector", "Label selector for the objects that belong to this one.", priority=1)
_STORAGE_CLASS_COLUMN = Column("StorageClass", "StorageClass of the volume.")
_ATTRIBUTES_CLASS = Column("VolumeAttributesClass", "VolumeAttributesClass of the volume.")
_ACCESS = Column("Access Modes", "The ways in which the volume can be mounted.")
_VOLUME_MODE = Column("VolumeMode", "Whether the volume has a file system or is a raw block device.", priority=1)
_CAPACITY = Column("Capacity", "The capacity of the volume.")


def _number(name: str, description: str) -> Column:
    return Column(name, description, "integer")


def _wide(name: str, description: str) -> Column:
    return Column(name, description, priority=1)


_BINDING_COLUMNS = (
    _NAME,
    Column("Role", "The role that is bound."),
    _AGE,
    _wide("Users", "Users in the binding."),
    _wide("Groups", "Groups in the binding."),
    _wide("ServiceAccounts", "ServiceAccounts in the binding."),
)

_DEFAULT: tuple[tuple[Column, ...], Callable[[Object], Cells]] = (
    (_NAME, Column("Created At", _CREATED, "date")),
    _plain,
)

_PRINTERS: dict[tuple[str, str], tuple[tuple[Column, ...], Callable[[Object], Cells]]] = {
    ("", "Pod"): (
        (
            _NAME,
            Column("Ready", "The aggregate readiness state of this pod for accepting traffic."),
            Column("Status", "The aggregate status of the containers in this pod."),
            Column("Restarts", "How often the containers in this pod have been restarted, and when last."),
            _AGE,
            _wide("IP", "The IP address allocated to the pod."),
            _wide("Node", "The node on which the pod is scheduled."),
            _wide("Nominated Node", "The node on which the pod runs when other pods have been preempted."),
            _wide("Readiness Gates", "The conditions that are true of those that the pod's readiness needs."),
        ),
        _pod,
    ),
    ("apps", "Deployment"): (
        (
            _NAME,
            Column("Ready", "Number of the pods with a Ready condition, and how many are desired."),
            Column("Up-to-date", "Number of pods that have the desired template."),
            Column("Available", "Number of pods that have been ready for minReadySeconds."),
            _AGE,
            _CONTAINERS,
            _IMAGES,
            _SELECTOR,
        ),
        _deployment,
    ),
    ("apps", "ReplicaSet"): (
        (
            _NAME,
            _number("Desired", "Number of desired pods."),
            _number("Current", "Number of pods."),
            _number("Ready", "Number of pods with a Ready condition."),
            _AGE,
            _CONTAINERS,
            _IMAGES,
            _SELECTOR,
        ),
        _replica_set,
    ),
    ("apps", "StatefulSet"): (
        (_NAME, Column("Ready", "Number of the ready pods, and how many are desired."), _AGE, _CONTAINERS, _IMAGES),
        _stateful_set,
    ),
    ("apps", "DaemonSet"): (
        (
            _NAME,
            _number("Desired", "Number of nodes that should run the pod."),
            _number("Current", "Number of nodes that run the pod and should."),
            _number("Ready", "Number of nodes with a ready pod."),
            _number("Up-to-date", "Number of nodes whose pod has the desired template."),
            _number("Available", "Number of nodes with an available pod."),
            Column("Node Selector", "Labels of the nodes that should run the pod."),
            _AGE,
            _CONTAINERS,
            _IMAGES,
            _SELECTOR,
        ),
        _daemon_set,
    ),
    ("batch", "Job"): (
        (
            _NAME,
            Column("Status", "Status of the job."),
            Column("Completions", "Number of the succeeded pods, and how many are desired."),
            Column("Duration", "Time from the start of the job to its completion."),
            _AGE,
            _CONTAINERS,
            _IMAGES,
            _SELECTOR,
        ),
        _job,
    ),
    ("batch", "CronJob"): (
        (
            _NAME,
            Column("Schedule", "The schedule in Cron format."),
            Column("Timezone", "The time zone of the schedule."),
            Column("Suspend", "Whether subsequent executions are suspended.", "boolean"),
            _number("Active", "Number of running jobs."),
            Column("Last Schedule", "When a job was last scheduled."),
            _AGE,
            _CONTAINERS,
            _IMAGES,
            _SELECTOR,
        ),
        _cron_job,
    ),
    ("policy", "PodDisruptionBudget"): (
        (
            _NAME,
            Column("Min Available", "The minimum number of pods that must be available."),
            Column("Max Unavailable", "The maximum number of pods that may be unavailable."),
            _number("Allowed Disruptions", "Calculated number of pods that may be disrupted at this time."),
            _AGE,
        ),
        _pod_disruption_budget,
    ),
    ("", "Namespace"): ((_NAME, Column("Status", "The status of the namespace"), _AGE), _namespace),
    ("", "Node"): (
        (
            _NAME,
            Column("Status", "The status of the node"),
            Column("Roles", "The roles of the node"),
            _AGE,
            Column("Version", "Kubelet version reported by the node."),
            _wide("Internal-IP", "The node's address inside its network."),
            _wide("External-IP", "The node's public address."),
            _wide("OS-Image", "OS image reported by the node."),
            _wide("Kernel-Version", "Kernel version reported by the node."),
            _wide("Container-Runtime", "Container runtime and its version reported by the node."),
        ),
        _node,
    ),
    ("", "Event"): (
        (
            Column("Last Seen", "The time at which the most recent occurrence of this event was recorded."),
            Column("Type", "Type of this event (Normal, Warning), new types could be added in the future."),
            Column("Reason", "A short, machine understandable reason for the transition."),
            Column("Object", "The object that this event is about."),
            _wide("Subobject", "The part of the object that this event is about."),
            _wide("Source", "The component reporting this event."),
            Column("Message", "A human-readable description of the status of this operation."),
            _wide("First Seen", "The time at which the event was first recorded."),
            Column("Count", "The number of times this event has occurred.", "integer", priority=1),
            Column("Name", _NAME.description, format="name", priority=1),
        ),
        _event,
    ),
    ("coordination.k8s.io", "Lease"): ((_NAME, Column("Holder", "The holder of the lease."), _AGE), _lease),
    ("", "ResourceQuota"): (
        (_NAME, Column("Request", "Used and hard requests."), Column("Limit", "Used and hard limits."), _AGE),
        _resource_quota,
    ),
    ("", "ConfigMap"): ((_NAME, Column("Data", "Number of entries."), _AGE), _config_map),
    ("", "Secret"): (
        (_NAME, Column("Type", "Type of the secret."), Column("Data", "Number of entries."), _AGE),
        _secret,
    ),
    ("", "ServiceAccount"): ((_NAME, Column("Secrets", "Number of secrets."), _AGE), _service_account),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): (_BINDING_COLUMNS, _binding),
    ("rbac.authorization.k8s.io", "RoleBinding"): (_BINDING_COLUMNS, _binding),
    ("", "Service"): (
        (
            _NAME,
            Column("Type", "How the service is exposed."),
            Column("Cluster-IP", "The address of the service inside the cluster."),
            Column("External-IP", "The addresses of the service outside of the cluster."),
            Column("Port(s)", "The ports that are exposed by this service."),
            _AGE,
            _SELECTOR,
        ),
        _service,
    ),
    ("", "Endpoints"): ((_NAME, Column("Endpoints", "Addresses and ports of the service."), _AGE), _endpoints),
    ("discovery.k8s.io", "EndpointSlice"): (
        (
            _NAME,
            Column("AddressType", "The type of address carried by this EndpointSlice."),
            Column("Ports", "The ports exposed by each endpoint in this slice."),
            Column("Endpoints", "The endpoints in this slice."),
            _AGE,
        ),
        _endpoint_slice,
    ),
    ("", "PersistentVolumeClaim"): (
        (
            _NAME,
            Column("Status", "The phase of the claim."),
            Column("Volume", "The volume that is bound to the claim."),
            _CAPACITY,
            _ACCESS,
            _STORAGE_CLASS_COLUMN,
            _ATTRIBUTES_CLASS,
            _AGE,
            _VOLUME_MODE,
        ),
        _persistent_volume_claim,
    ),
    ("", "PersistentVolume"): (
        (
            _NAME,
            _CAPACITY,
            _ACCESS,
            Column("Reclaim Policy", "What happens to the volume when its claim is deleted."),
            Column("Status", "The phase of the volume."),
            Column("Claim", "The claim that the volume is bound to."),
            _STORAGE_CLASS_COLUMN,
            _ATTRIBUTES_CLASS,
            Column("Reason", "Why the volume is in its state."),
            _AGE,
            _VOLUME_MODE,
        ),
        _persistent_volume,
    ),
}
