# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of object that the API server stores, and how discovery names them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

STANDARD_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


# Each is there once: compared by identity, it is a quick key.
@dataclass(frozen=True, eq=False)
class Kind:
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    # Those that share the object: status and scale. TokenRequest and logs are handlers of their own.
    subresources: tuple[str, ...] = ()

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def qualified(self) -> str:
        """As in error messages: C(pods), C(deployments.apps)."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def list_kind(self) -> str:
        return f"{self.kind}List"


def _core(
    kind: str, plural: str, short: str = "", *, namespaced: bool = True, status: bool = False, all_: bool = False
) -> Kind:
    return Kind(
        "", "v1", kind, plural, namespaced, _words(short), ("all",) if all_ else (), ("status",) if status else ()
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_WITH_SCALE = ("status", "scale")

_POLICIES = "admissionregistration.k8s.io"

# A list, because L(switch_on_mutating_policies) adds to it.
KINDS: list[Kind] = [
    _core("Namespace", "namespaces", "ns", namespaced=False, status=True),
    _core("Node", "nodes", "no", namespaced=False, status=True),
    _core("PersistentVolume", "persistentvolumes", "pv", namespaced=False, status=True),
    _core("ConfigMap", "configmaps", "cm"),
    _core("Endpoints", "endpoints", "ep"),
    _core("Event", "events", "ev"),
    _core("PersistentVolumeClaim", "persistentvolumeclaims", "pvc", status=True),
    _core("Pod", "pods", "po", status=True, all_=True),
    _core("ResourceQuota", "resourcequotas", "quota", status=True),
    _core("LimitRange", "limitranges", "limits"),
    _core("Secret", "secrets"),
    _core("Service", "services", "svc", status=True, all_=True),
    _core("ServiceAccount", "serviceaccounts", "sa"),
    Kind(_POLICIES, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", False, (), (), ("status",)),
    Kind(_POLICIES, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", False),
    Kind("apps", "v1", "DaemonSet", "daemonsets", True, ("ds",), ("all",), ("status",)),
    Kind("apps", "v1", "Deployment", "deployments", True, ("deploy",), ("all",), _WITH_SCALE),
    Kind("apps", "v1", "ReplicaSet", "replicasets", True, ("rs",), ("all",), _WITH_SCALE),
    Kind("apps", "v1", "StatefulSet", "statefulsets", True, ("sts",), ("all",), _WITH_SCALE),
    Kind("batch", "v1", "CronJob", "cronjobs", True, ("cj",), ("all",), ("status",)),
    Kind("batch", "v1", "Job", "jobs", True, (), ("all",), ("status",)),
    Kind("coordination.k8s.io", "v1", "Lease", "leases", True),
    Kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", True),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", True, ("pdb",), (), ("status",)),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
    Kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    Kind("rbac.authorization.k8s.io", "v1", "Role", "roles", True),
    Kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", True),
]

_BY_PLURAL = {(each.group, each.version, each.plural): each for each in KINDS}
_BY_KIND = {(each.api_version, each.kind): each for each in KINDS}


def by_plural(group: str, version: str, plural: str) -> Kind | None:
    return _BY_PLURAL.get((group, version, plural))


def by_kind(api_version: str, kind: str) -> Kind | None:
    return _BY_KIND.get((api_version, kind))


def known(api_version: str, kind: str) -> Kind:
    """A kind that the lab itself names; KeyError is a mistake in the lab."""
    return _BY_KIND[(api_version, kind)]


NAMESPACE = known("v1", "Namespace")
NODE = known("v1", "Node")
POD = known("v1", "Pod")
SERVICE = known("v1", "Service")
SERVICE_ACCOUNT = known("v1", "ServiceAccount")
CONFIG_MAP = known("v1", "ConfigMap")
EVENT = known("v1", "Event")
DEPLOYMENT = known("apps/v1", "Deployment")
REPLICA_SET = known("apps/v1", "ReplicaSet")
STATEFUL_SET = known("apps/v1", "StatefulSet")
VALIDATING_POLICY = known(f"{_POLICIES}/v1", "ValidatingAdmissionPolicy")
VALIDATING_POLICY_BINDING = known(f"{_POLICIES}/v1", "ValidatingAdmissionPolicyBinding")


def switch_on_mutating_policies() -> None:
    """As the feature gate and C(--runtime-config) do in Kubernetes 1.34, where they are beta and off unless asked for; before the first request."""
    for kind, plural in (
        ("MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
        ("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings"),
    ):
        added = Kind(_POLICIES, "v1beta1", kind, plural, False)
        KINDS.append(added)
        _BY_PLURAL[(added.group, added.version, added.plural)] = added
        _BY_KIND[(added.api_version, added.kind)] = added


def mutating_policy_kinds() -> tuple[Kind, Kind] | None:
    """The policy and its binding, where they are switched on."""
    policy = by_kind(f"{_POLICIES}/v1beta1", "MutatingAdmissionPolicy")
    binding = by_kind(f"{_POLICIES}/v1beta1", "MutatingAdmissionPolicyBinding")
    return (policy, binding) if policy and binding else None
