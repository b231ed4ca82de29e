# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules on what a pod is made of, as far as a manifest alone can break them: names, volumes, probes, DNS, amounts; pure.

Each rule yields ends of sentences; the caller puts the application before them. Rules of Kubernetes: pkg/apis/core/validation. Volumes on
virtual nodes: StorageOptions.md of microsoft/virtualnodesOnAzureContainerInstances.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from .quantities import amount
from .workloads import Fields, Workload, text

# Volumes that come from the API server, from memory, or over the network; all others need a directory or a disk of the node.
VOLUMES = ("azureFile", "configMap", "csi", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret")
AZURE_FILES_DRIVER = "file.csi.azure.com"
_HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
_PROBES = ("liveness_probe", "readiness_probe", "startup_probe")
_RESERVED_MOUNT = "/var/run/secrets/azure"
_LONGEST_LABEL = 63

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_BOUND = re.compile(r"[0-9]+|(100|[1-9]?[0-9])%")


def names(workload: Workload) -> Iterator[str]:
    if not _LABEL.fullmatch(workload.name) or len(workload.name) > _LONGEST_LABEL:
        yield (
            f"name is '{workload.name}', but it names a container, for which at most {_LONGEST_LABEL} lower case letters, digits and hyphens "
            "are allowed, beginning and ending with a letter or digit. Rename the application."
        )
    for field, values in (("labels", workload.labels), ("annotations", workload.annotations)):
        for name in values:
            if not _is_qualified(str(name)):
                yield (
                    f"deployment.{field} has the key '{name}', but Kubernetes takes a name of at most {_LONGEST_LABEL} letters, digits, "
                    "'-', '_' and '.', after a DNS name and '/' if there is one. Rename it."
                )
    for name, value in workload.labels.items():
        shown = text(value)
        if shown and not (_QUALIFIED.fullmatch(shown) and len(shown) <= _LONGEST_LABEL):
            yield (
                f"deployment.labels gives '{name}' the value '{shown}', but the value of a label has at most {_LONGEST_LABEL} letters, digits, "
                "'-', '_' and '.'. Shorten it, or make it an annotation."
            )
    if workload.priority_class and not _SUBDOMAIN.fullmatch(workload.priority_class):
        yield f"deployment.priority_class is '{workload.priority_class}', which is no name of a PriorityClass. Correct it."


def resources(workload: Workload) -> Iterator[str]:
    for name in ("cpu", "memory"):
        requested, most = (text(workload.resources[bound][name]) for bound in ("requests", "limits"))
        amounts = {"requests": amount(requested), "limits": amount(most)}
        for bound, value in amounts.items():
            if value is None or value == 0:
                yield (
                    f"deployment.resources.{bound}.{name} is '{text(workload.resources[bound][name])}', but the container group is sized by "
                    "it, so it has to be an amount above zero. Write it like 500m or 512Mi."
                )
        if amounts["requests"] and amounts["limits"] and amounts["requests"] > amounts["limits"]:
            yield (
                f"deployment.resources.requests.{name} is {requested}, more than the limit of {most}. Raise the limit or lower the request."
            )


def volumes(workload: Workload) -> Iterator[str]:
    names_given: Counter[str] = Counter(str(volume.get("name")) for volume in workload.volumes)
    for name, times in names_given.items():
        if times > 1:
            yield f"deployment.volumes names '{name}' {times} times, but a mount has to know which. Rename one."
        if not _LABEL.fullmatch(name):
            yield f"deployment.volumes has the name '{name}', but lower case letters, digits and hyphens are allowed. Rename it."
    for volume in workload.volumes:
        yield from _source(volume)


def _source(volume: Fields) -> Iterator[str]:
    name, sources = volume.get("name"), sorted(set(volume) - {"name"})
    if len(sources) != 1:
        found = ", ".join(sources) or "nothing"
        yield f"deployment.volumes has '{name}' with {found}, but a volume is one thing. Give it one of {', '.join(VOLUMES)}."
    elif sources[0] not in VOLUMES:
        yield (
            f"deployment.volumes has '{name}' of the kind {sources[0]}, but behind a virtual node there is no machine whose disks and "
            f"directories could be used. Use one of {', '.join(VOLUMES)}."
        )
    elif sources[0] == "csi" and volume["csi"].get("driver") != AZURE_FILES_DRIVER:
        yield (
            f"deployment.volumes has '{name}' of the driver '{volume['csi'].get('driver')}', but virtual nodes run no other than "
            f"{AZURE_FILES_DRIVER}. Use that, or a persistentVolumeClaim."
        )


def mounts(workload: Workload) -> Iterator[str]:
    known = {volume.get("name") for volume in workload.volumes}
    for mount in workload.volume_mounts:
        name, path = mount.get("name"), str(mount.get("mountPath") or "")
        if name not in known:
            yield f"deployment.volume_mounts mounts '{name}', which is not among deployment.volumes. Add it there, or correct the name."
        if not path.startswith("/"):
            yield f"deployment.volume_mounts mounts '{name}' at '{path}', but mountPath has to begin with '/'. Correct it."
        elif f"{path.rstrip('/')}/".startswith(f"{_RESERVED_MOUNT}/"):
            yield (
                f"deployment.volume_mounts mounts '{name}' at '{path}', but the workload identity webhook puts the token below "
                f"{_RESERVED_MOUNT}. Choose another path."
            )
    for place, times in Counter(str(mount.get("mountPath")) for mount in workload.volume_mounts).items():
        if times > 1:
            yield f"deployment.volume_mounts has {times} mounts at '{place}', but only one can be there. Choose another path."


def probes(workload: Workload) -> Iterator[str]:
    for option in _PROBES:
        probe: Fields | None = getattr(workload, option)
        if probe is None:
            continue
        handlers = [handler for handler in _HANDLERS if probe.get(handler) is not None]
        if len(handlers) != 1:
            found = " and ".join(handlers) or "none"
            yield f"deployment.{option} has {found} of {', '.join(_HANDLERS)}, but a probe asks in one way. Give it exactly one."
        if option != "readiness_probe" and str(probe.get("successThreshold", 1)) != "1":
            yield (
                f"deployment.{option} has the successThreshold {probe['successThreshold']}, but Kubernetes allows more than 1 for "
                "readiness_probe alone. Leave it out."
            )


def name_resolution(workload: Workload) -> Iterator[str]:
    """Without kube-proxy only a resolver of the virtual network answers."""
    if workload.inject_dns and not workload.inject_kube_proxy:
        yield (
            "has inject_dns without inject_kube_proxy. The cluster's DNS server is a cluster IP, which a pod without kube-proxy cannot "
            "reach, so no name would resolve. Leave inject_dns out, or set inject_kube_proxy as well."
        )
    if workload.dns_policy.startswith("ClusterFirst") and not workload.inject_dns:
        yield (
            f"deployment.dns_policy is '{workload.dns_policy}', which asks the cluster's DNS server, but inject_dns is false. Leave "
            "dns_policy out for the virtual network's resolver, or set inject_kube_proxy and inject_dns."
        )
    servers = (workload.dns_config or {}).get("nameservers") or []
    if workload.dns_policy == "None" and not servers:
        yield "deployment.dns_policy is 'None', but dns_config.nameservers is empty, so no name would resolve. Name at least one server."


def disruption(workload: Workload) -> Iterator[str]:
    budget = workload.disruption_budget
    if budget is None:
        return
    given = {"min_available": budget.min_available, "max_unavailable": budget.max_unavailable}
    named = {option: value for option, value in given.items() if value is not None}
    if len(named) != 1:
        found = " and ".join(named) or "neither of the two"
        yield f"deployment.disruption_budget has {found}, but it is min_available or max_unavailable. Give one of them."
    yield from _bounds("deployment.disruption_budget", named)


def replacement(workload: Workload) -> Iterator[str]:
    """Of pods by a rollout, and by their end."""
    strategy, grace = workload.strategy, workload.termination_grace_period_seconds
    if strategy is not None:
        given = {"max_surge": strategy.max_surge, "max_unavailable": strategy.max_unavailable}
        named = {option: value for option, value in given.items() if value is not None}
        if strategy.type == "Recreate" and named:
            yield (
                f"deployment.strategy has {' and '.join(named)} with the type Recreate, which stops all pods first. Leave them out, or "
                "set the type RollingUpdate."
            )
        yield from _bounds("deployment.strategy", named)
        if len(named) == 2 and all(str(value).rstrip("%") == "0" for value in named.values()):
            yield "deployment.strategy has max_surge and max_unavailable of 0, so no pod could ever be replaced. Raise one of them."
    if grace is not None and grace < 0:
        yield f"deployment.termination_grace_period_seconds is {grace}, but it cannot be negative. Give 0 or more."


def scale(workload: Workload) -> Iterator[str]:
    if workload.replicas is not None and workload.replicas < 0:
        yield f"deployment.replicas is {workload.replicas}, but there cannot be fewer than 0. Give 0 or more, or null for an autoscaler."
    for constraint in workload.topology_spread_constraints:
        missing = [each for each in ("maxSkew", "topologyKey", "whenUnsatisfiable") if not constraint.get(each)]
        if missing:
            yield f"deployment.topology_spread_constraints has an entry without {', '.join(missing)}, which Kubernetes wants. Add it."


def _bounds(field: str, given: Mapping[str, Any]) -> Iterator[str]:
    for option, value in given.items():
        if not _BOUND.fullmatch(str(value)):
            yield f"{field}.{option} is '{value}', but it has to be a number of pods or a percentage up to 100%. Write it like 1 or 25%."


def _is_qualified(name: str) -> bool:
    prefix, slash, rest = name.rpartition("/")
    return bool(
        _QUALIFIED.fullmatch(rest) and len(rest) <= _LONGEST_LABEL and (not slash or _SUBDOMAIN.fullmatch(prefix))
    )
