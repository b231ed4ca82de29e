# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What no argument specification can show to be wrong with applications, as sentences: field, value, rule, way out; pure.

Everything that is refused is in L(RULES), in the order in which it is told. Rules on annotations are those of PodCustomizations.md and
NodeCustomizations.md of microsoft/virtualnodesOnAzureContainerInstances.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Sequence

from ..arm.resource_id import key
from . import pod_rules
from .arm_tags import tag_problems
from .listing import doubled
from .workload_manifests import IDENTITY_BINDING, NAME_LABEL, SERVICE_HOST, VIRTUAL_NODE, WORKLOAD_IDENTITY_LABEL
from .workloads import Workload, text

Rule = Callable[[Workload], Iterator[str]]

# Fields of Kubernetes and the option that stands for each; empty where the role alone decides.
_CONTAINER_OPTIONS = {
    "name": "",
    "image": "image",
    "command": "command",
    "args": "args",
    "env": "env",
    "resources": "resources",
    "volumeMounts": "volume_mounts",
    "livenessProbe": "liveness_probe",
    "readinessProbe": "readiness_probe",
    "startupProbe": "startup_probe",
}
_POD_OPTIONS = {
    "serviceAccount": "",
    "serviceAccountName": "",
    "nodeName": "",
    "nodeSelector": "",
    "tolerations": "",
    "containers": "",
    "volumes": "volumes",
    "dnsPolicy": "dns_policy",
    "dnsConfig": "dns_config",
    "priorityClassName": "priority_class",
    "topologySpreadConstraints": "topology_spread_constraints",
    "terminationGracePeriodSeconds": "termination_grace_period_seconds",
}
_LABELS = (NAME_LABEL, WORKLOAD_IDENTITY_LABEL)
_ANNOTATIONS = (SERVICE_HOST, IDENTITY_BINDING)
_OF_THE_HOST = ("hostIPC", "hostNetwork", "hostPID", "hostUsers")

_SUBNET = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.Network/virtualNetworks/[^/]+/subnets/[^/]+",
    re.IGNORECASE,
)
_IDENTITY = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/]+",
    re.IGNORECASE,
)
_VAULT = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+/?", re.IGNORECASE)


def problems(workloads: Sequence[Workload]) -> list[str]:
    """
    :returns: a sentence or two for each thing that is wrong; empty when the applications can run as described.
    """
    found = [
        f"{workload.label} (namespace/name): {why}"
        for workload in workloads
        for rule in RULES
        for why in rule(workload)
    ]
    return [*doubled(workload.label for workload in workloads), *found]


def _owned_fields(workload: Workload) -> Iterator[str]:
    for place, given, options in (
        ("container", workload.container, _CONTAINER_OPTIONS),
        ("pod", workload.pod, _POD_OPTIONS),
    ):
        for name in given:
            option = options.get(name)
            if option is not None:
                use = f"Use deployment.{option} for it." if option else "Leave it out."
                yield f"sets {name} in deployment.{place}, which the role sets itself. {use}"


def _owned_metadata(workload: Workload) -> Iterator[str]:
    for name in workload.labels:
        if name in _LABELS:
            yield f"sets {name} in deployment.labels, which the role sets itself. Leave it out."
    for name in workload.annotations:
        if name in _ANNOTATIONS or str(name).startswith(f"{VIRTUAL_NODE}."):
            yield (
                f"sets {name} in deployment.annotations, which the role sets itself. Use the option of deployment that stands for it: "
                "inject_kube_proxy, inject_dns, zone, subnet_id, container_group_identity, tags, cce_policy, customer_managed_key, "
                "image_cache or set_kube_service_host_fqdn; for a token by identity binding, identity.federation."
            )


def _no_host(workload: Workload) -> Iterator[str]:
    for name in _OF_THE_HOST:
        if workload.pod.get(name):
            yield f"sets {name} in deployment.pod, but behind a virtual node there is no machine to share. Leave it out."
    if any(port.get("hostPort") for port in workload.container.get("ports") or []):
        yield "sets hostPort in deployment.container.ports, but behind a virtual node there is no machine. Leave it out."


def _zone(workload: Workload) -> Iterator[str]:
    zone = workload.zone or ""
    if ";" in zone or "," in zone:
        yield f"deployment.zone is '{zone}', but a container group is placed in one zone. Name one, or '' for none."
    elif zone and not zone.isdecimal():
        yield f"deployment.zone is '{zone}', but zones are numbered. Give it like '1', or '' for none."


def _resource_ids(workload: Workload) -> Iterator[str]:
    if workload.subnet_id and not _SUBNET.fullmatch(workload.subnet_id):
        yield (
            f"deployment.subnet_id is '{workload.subnet_id}', which is no subnet. Give its resource id: /subscriptions/<id>/resourceGroups/"
            "<group>/providers/Microsoft.Network/virtualNetworks/<network>/subnets/<subnet>."
        )
    if workload.container_group_identity and not _IDENTITY.fullmatch(workload.container_group_identity):
        yield (
            f"deployment.container_group_identity is '{workload.container_group_identity}', which is no user-assigned identity. Give its resource "
            "id: /subscriptions/<id>/resourceGroups/<group>/providers/Microsoft.ManagedIdentity/userAssignedIdentities/<name>."
        )


def _tags(workload: Workload) -> Iterator[str]:
    tags = {str(name): text(value) for name, value in workload.tags.items()}
    return (f"deployment.tags {why}" for why in tag_problems(tags))


def _confidential(workload: Workload) -> Iterator[str]:
    if not workload.is_confidential:
        return
    if workload.inject_kube_proxy:
        yield (
            "has deployment.cce_policy with inject_kube_proxy, but confidential pods never have kube-proxy: it would break what the policy "
            "promises. Leave inject_kube_proxy out."
        )
    try:
        base64.b64decode(workload.cce_policy, validate=True)
    except (binascii.Error, ValueError):
        yield "deployment.cce_policy is not in base64. Take it as 'az confcom acipolicygen --virtual-node-yaml' writes it."


def _customer_managed_key(workload: Workload) -> Iterator[str]:
    given = workload.customer_managed_key
    if given is None:
        return
    parts = {"vault_base_url": given.vault_base_url, "key_name": given.key_name, "key_version": given.key_version}
    if missing := [name for name, value in parts.items() if not value]:
        yield (
            f"deployment.customer_managed_key has an empty {', '.join(missing)}, but vault_base_url, key_name and key_version only mean a key "
            "together. Give all three."
        )
    if given.vault_base_url and not _VAULT.fullmatch(given.vault_base_url):
        yield (
            f"deployment.customer_managed_key.vault_base_url is '{given.vault_base_url}', which is no vault. Give it like "
            "https://kv-shop.vault.azure.net."
        )
    if given.identity and key(given.identity) != key(workload.container_group_identity):
        yield (
            f"deployment.customer_managed_key.identity is '{given.identity}', but container_group_identity is "
            f"'{workload.container_group_identity}', and the container group reads the key as itself. Give both the same identity."
        )


def _image_cache(workload: Workload) -> Iterator[str]:
    if workload.image_cache and workload.disruption_budget:
        yield (
            "has deployment.image_cache with disruption_budget, but the pods of an image cache never run. Leave one of them out."
        )


RULES: tuple[Rule, ...] = (
    _owned_fields,
    _owned_metadata,
    pod_rules.names,
    pod_rules.resources,
    pod_rules.scale,
    pod_rules.name_resolution,
    pod_rules.volumes,
    pod_rules.mounts,
    pod_rules.probes,
    pod_rules.disruption,
    pod_rules.replacement,
    _no_host,
    _zone,
    _resource_ids,
    _tags,
    _confidential,
    _customer_managed_key,
    _image_cache,
)
