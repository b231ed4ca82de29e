# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The manifests of an application on virtual nodes; pure.

Annotations: PodCustomizations.md and NodeCustomizations.md of microsoft/virtualnodesOnAzureContainerInstances.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..kube.objects import Manifest
from .arm_tags import joined
from .workloads import DisruptionBudget, Fields, Placement, Strategy, Workload, text

VIRTUAL_NODE = "microsoft.containerinstance.virtualnode"
KUBE_PROXY = f"{VIRTUAL_NODE}.injectkubeproxy"
DNS = f"{VIRTUAL_NODE}.injectdns"
CCE_POLICY = f"{VIRTUAL_NODE}.ccepolicy"
NAME_LABEL = "app.kubernetes.io/name"
WORKLOAD_IDENTITY_LABEL = "azure.workload.identity/use"
# The webhook then lets the pod ask AKS for its token: azure-workload-identity 1.6.0.
IDENTITY_BINDING = "azure.workload.identity/use-identity-binding"
# AKS' admission looks for it among the annotations of pods, not among the labels: AKS FAQ, Azure/AKS#3183.
SERVICE_HOST = "kubernetes.azure.com/set-kube-service-host-fqdn"


def manifests(workload: Workload, placement: Placement) -> list[Manifest]:
    """The Deployment, and its disruption budget if it has one."""
    made = [deployment(workload, placement)]
    return [*made, disruption_budget(workload, workload.disruption_budget)] if workload.disruption_budget else made


def deployment(workload: Workload, placement: Placement) -> Manifest:
    names = {NAME_LABEL: workload.name}
    metadata = {
        # On the template, not on the Deployment: the webhook looks at pods, and so do virtual nodes.
        "labels": {**_texts(workload.labels), **names, WORKLOAD_IDENTITY_LABEL: "true"},
        "annotations": {**_texts(workload.annotations), **owned_annotations(workload)},
    }
    spec: dict[str, Any] = {} if workload.replicas is None else {"replicas": workload.replicas}
    spec["selector"] = {"matchLabels": names}
    if workload.strategy:
        spec["strategy"] = _strategy(workload.strategy)
    spec["template"] = {"metadata": metadata, "spec": _pod(workload, placement)}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": _metadata(workload), "spec": spec}


def disruption_budget(workload: Workload, budget: DisruptionBudget) -> Manifest:
    bounds = {"minAvailable": budget.min_available, "maxUnavailable": budget.max_unavailable}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": _metadata(workload),
        "spec": {
            **{name: value for name, value in bounds.items() if value is not None},
            "selector": {"matchLabels": {NAME_LABEL: workload.name}},
        },
    }


def owned_annotations(workload: Workload) -> dict[str, str]:
    """Those that nobody else may set."""
    return dict(_annotations(workload))


def _annotations(workload: Workload) -> Iterator[tuple[str, str]]:
    yield KUBE_PROXY, text(workload.inject_kube_proxy)
    yield DNS, text(workload.inject_dns)
    if workload.zone is not None:
        yield f"{VIRTUAL_NODE}.zones", workload.zone
    if workload.subnet_id:
        yield f"{VIRTUAL_NODE}.subnets.primary", workload.subnet_id
    if workload.container_group_identity:
        yield f"{VIRTUAL_NODE}.identity", workload.container_group_identity
    if workload.tags:
        yield f"{VIRTUAL_NODE}.customtags", joined(_texts(workload.tags))
    if workload.cce_policy:
        yield CCE_POLICY, workload.cce_policy
    if key := workload.customer_managed_key:
        yield f"{VIRTUAL_NODE}.cmk.vaultbaseurl", key.vault_base_url
        yield f"{VIRTUAL_NODE}.cmk.keyname", key.key_name
        yield f"{VIRTUAL_NODE}.cmk.keyversion", key.key_version
        if key.identity:
            yield f"{VIRTUAL_NODE}.cmk.identity", key.identity
    if workload.image_cache:
        yield f"{VIRTUAL_NODE}.imagecachepod", "true"
    if workload.set_kube_service_host_fqdn:
        yield SERVICE_HOST, "true"
    if workload.federation == "binding":
        yield IDENTITY_BINDING, "true"


def _metadata(workload: Workload) -> Manifest:
    return {"name": workload.name, "namespace": workload.namespace, "labels": {NAME_LABEL: workload.name}}


def _pod(workload: Workload, placement: Placement) -> Manifest:
    optional = {
        "dnsPolicy": workload.dns_policy,
        "dnsConfig": workload.dns_config,
        "priorityClassName": workload.priority_class,
        "topologySpreadConstraints": [_spread(each, workload) for each in workload.topology_spread_constraints],
        "volumes": list(workload.volumes),
    }
    grace = workload.termination_grace_period_seconds
    return {
        "serviceAccountName": workload.service_account,
        "nodeSelector": placement.node_selector,
        "tolerations": list(placement.tolerations),
        **{name: value for name, value in optional.items() if value},
        **({} if grace is None else {"terminationGracePeriodSeconds": grace}),
        "containers": [_container(workload)],
        **workload.pod,
    }


def _container(workload: Workload) -> Manifest:
    optional = {
        "command": list(workload.command),
        "args": list(workload.args),
        "env": [_variable(name, value) for name, value in workload.env.items()],
        "volumeMounts": list(workload.volume_mounts),
        "livenessProbe": workload.liveness_probe,
        "readinessProbe": workload.readiness_probe,
        "startupProbe": workload.startup_probe,
    }
    return {
        "name": workload.name,
        "image": workload.image,
        "resources": {
            bound: {amount: text(workload.resources[bound][amount]) for amount in ("cpu", "memory")}
            for bound in ("requests", "limits")
        },
        **{name: value for name, value in optional.items() if value},
        **workload.container,
    }


def _variable(name: str, value: Any) -> Manifest:
    return {"name": name, "valueFrom": value} if isinstance(value, dict) else {"name": name, "value": text(value)}


def _spread(constraint: Fields, workload: Workload) -> Manifest:
    """Without a selector a constraint would count no pods at all."""
    return {"labelSelector": {"matchLabels": {NAME_LABEL: workload.name}}, **constraint}


def _strategy(strategy: Strategy) -> Manifest:
    bounds = {"maxSurge": strategy.max_surge, "maxUnavailable": strategy.max_unavailable}
    rolling = {name: value for name, value in bounds.items() if value is not None}
    return {"type": strategy.type, **({"rollingUpdate": rolling} if rolling else {})}


def _texts(values: Fields) -> dict[str, str]:
    return {str(name): text(value) for name, value in values.items()}
