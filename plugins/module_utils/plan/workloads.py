# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an application of the role C(workload) is to be, with every default filled in; pure.

The options are those of the role's argument specification, which has checked them for being there and for their types. Ansible hands on
the values as they were written, so numbers and switches are read here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

Fields = Mapping[str, Any]

# The label and the taint that the virtual node's chart gives its nodes.
_NODE_SELECTOR: Fields = {"virtualization": "virtualnode2"}
_TOLERATION: Fields = {"key": "virtual-kubelet.io/provider", "operator": "Exists", "effect": "NoSchedule"}


@dataclass(frozen=True)
class Placement:
    """What holds for all applications of a role's run: the variables C(workload_*).

    :ivar inject_dns: for applications that say neither C(inject_dns) nor C(inject_kube_proxy).
    """

    node_selector: Fields = field(default_factory=lambda: _NODE_SELECTOR)
    tolerations: Sequence[Fields] = (_TOLERATION,)
    inject_kube_proxy: bool = False
    inject_dns: bool = False

    @classmethod
    def of(cls, **given: Any) -> Placement:
        """From variables, whose switches may be texts when they come from a command line."""
        switches = {name: boolean(given[name]) for name in ("inject_kube_proxy", "inject_dns") if name in given}
        return cls(**(given | switches))


@dataclass(frozen=True)
class CustomerManagedKey:
    """The key in a vault that encrypts what the container group keeps.

    :ivar identity: who may use the key; empty for Azure Container Instances itself.
    """

    vault_base_url: str
    key_name: str
    key_version: str
    identity: str = ""


@dataclass(frozen=True)
class Strategy:
    """How pods are replaced; empty bounds are left to Kubernetes."""

    type: str = "RollingUpdate"
    max_surge: Any = None
    max_unavailable: Any = None


@dataclass(frozen=True)
class DisruptionBudget:
    """How many pods an eviction must leave, or may take; one of the two."""

    min_available: Any = None
    max_unavailable: Any = None


@dataclass(frozen=True)
class Workload:
    """One application.

    :ivar replicas: None where something else scales the Deployment.
    :ivar zone: None for the zone of the virtual node, empty for no zone.
    :ivar inject_kube_proxy: never for a confidential pod, unless the application itself asks for it, which is refused.
    :ivar container: further fields of the container, in the form of the Kubernetes API.
    :ivar pod: further fields of the pod, likewise.
    """

    name: str
    namespace: str
    service_account: str
    image: str
    resources: Fields
    federation: str = "credential"
    replicas: int | None = 1
    command: Sequence[str] = ()
    args: Sequence[str] = ()
    env: Fields = field(default_factory=dict)
    labels: Fields = field(default_factory=dict)
    annotations: Fields = field(default_factory=dict)
    volumes: Sequence[Fields] = ()
    volume_mounts: Sequence[Fields] = ()
    liveness_probe: Fields | None = None
    readiness_probe: Fields | None = None
    startup_probe: Fields | None = None
    inject_kube_proxy: bool = False
    inject_dns: bool = False
    dns_policy: str = ""
    dns_config: Fields | None = None
    set_kube_service_host_fqdn: bool = False
    zone: str | None = None
    subnet_id: str = ""
    container_group_identity: str = ""
    tags: Fields = field(default_factory=dict)
    cce_policy: str = ""
    customer_managed_key: CustomerManagedKey | None = None
    image_cache: bool = False
    disruption_budget: DisruptionBudget | None = None
    priority_class: str = ""
    topology_spread_constraints: Sequence[Fields] = ()
    strategy: Strategy | None = None
    termination_grace_period_seconds: int | None = None
    container: Fields = field(default_factory=dict)
    pod: Fields = field(default_factory=dict)

    @property
    def label(self) -> str:
        """As sentences name it."""
        return f"{self.namespace}/{self.name}"

    @property
    def is_confidential(self) -> bool:
        return bool(self.cce_policy)


def workloads(applications: Sequence[Fields], placement: Placement) -> list[Workload]:
    """Those of the applications that have a deployment."""
    return [_workload(each, placement) for each in applications if each.get("deployment") is not None]


def text(value: Any) -> str:
    """As Kubernetes wants it in an environment variable, a label or an annotation: C(true), not C(True)."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _workload(application: Fields, placement: Placement) -> Workload:
    given = application["deployment"]
    kube_proxy, dns = _sidecars(given, placement)
    name = str(application["name"])
    return Workload(
        name=name,
        namespace=str(application["namespace"]),
        service_account=str(application.get("service_account") or name),
        federation=str((application.get("identity") or {}).get("federation") or "credential"),
        image=str(given["image"]),
        resources=given["resources"],
        replicas=_number(given.get("replicas", 1)),
        inject_kube_proxy=kube_proxy,
        inject_dns=dns,
        dns_policy=str(given.get("dns_policy") or ""),
        dns_config=given.get("dns_config") or None,
        set_kube_service_host_fqdn=_switch(given, "set_kube_service_host_fqdn"),
        zone=None if given.get("zone") is None else str(given["zone"]),
        subnet_id=str(given.get("subnet_id") or ""),
        container_group_identity=str(given.get("container_group_identity") or ""),
        cce_policy=str(given.get("cce_policy") or ""),
        customer_managed_key=_key(given.get("customer_managed_key")),
        image_cache=_switch(given, "image_cache"),
        disruption_budget=_budget(given.get("disruption_budget")),
        priority_class=str(given.get("priority_class") or ""),
        strategy=_strategy(given.get("strategy")),
        termination_grace_period_seconds=_number(given.get("termination_grace_period_seconds")),
        **_as_given(given),
    )


def _as_given(given: Fields) -> dict[str, Any]:
    """The options that are passed on as they are; empty where there is nothing."""
    probes = ("liveness_probe", "readiness_probe", "startup_probe")
    lists = ("command", "args", "volumes", "volume_mounts", "topology_spread_constraints")
    dictionaries = ("env", "labels", "annotations", "tags", "container", "pod")
    return {
        **{option: given.get(option) or None for option in probes},
        **{option: given.get(option) or () for option in lists},
        **{option: given.get(option) or {} for option in dictionaries},
    }


def _sidecars(given: Fields, placement: Placement) -> tuple[bool, bool]:
    """Whether the pods get kube-proxy and the cluster's DNS; the second follows the first where nothing is said."""
    own = given.get("inject_kube_proxy")
    if own is not None:
        kube_proxy = dns = boolean(own)
    elif given.get("cce_policy"):
        kube_proxy = dns = False
    else:
        kube_proxy, dns = placement.inject_kube_proxy, placement.inject_dns
    return kube_proxy, dns if given.get("inject_dns") is None else boolean(given["inject_dns"])


def _switch(given: Fields, option: str) -> bool:
    return bool(boolean(given.get(option) or False))


def _number(value: Any) -> int | None:
    # A template that says null may come as an empty text.
    return None if value in (None, "") else int(value)


def _key(given: Fields | None) -> CustomerManagedKey | None:
    if not given:
        return None
    return CustomerManagedKey(
        vault_base_url=str(given["vault_base_url"]),
        key_name=str(given["key_name"]),
        key_version=str(given["key_version"]),
        identity=str(given.get("identity") or ""),
    )


def _strategy(given: Fields | None) -> Strategy | None:
    if not given:
        return None
    return Strategy(
        type=str(given.get("type") or "RollingUpdate"),
        max_surge=_bound(given.get("max_surge")),
        max_unavailable=_bound(given.get("max_unavailable")),
    )


def _budget(given: Fields | None) -> DisruptionBudget | None:
    if not given:
        return None
    return DisruptionBudget(_bound(given.get("min_available")), _bound(given.get("max_unavailable")))


def _bound(value: Any) -> Any:
    """A number, or a percentage as text; the argument specification knows texts only."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value
