# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ServiceAccount may do, by the roles that are bound to it (Kubernetes: plugin/pkg/auth/authorizer/rbac).

Whoever has the lab's kubeconfig is an administrator and is not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lab.kubernetes.errors import StatusError
from lab.kubernetes.registry import by_plural, known
from lab.kubernetes.store import Object, Store
from lab.kubernetes.target import Target

CLUSTER_ROLE = known("rbac.authorization.k8s.io/v1", "ClusterRole")
CLUSTER_ROLE_BINDING = known("rbac.authorization.k8s.io/v1", "ClusterRoleBinding")
ROLE = known("rbac.authorization.k8s.io/v1", "Role")
ROLE_BINDING = known("rbac.authorization.k8s.io/v1", "RoleBinding")


@dataclass(frozen=True)
class ServiceAccountUser:
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> tuple[str, ...]:
        return ("system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated")


def verb_of(method: str, query: Mapping[str, str], *, named: bool) -> str:
    if method == "GET":
        watching = query.get("watch") in ("true", "1")
        return "watch" if watching else "get" if named else "list"
    if method == "DELETE":
        return "delete" if named else "deletecollection"
    return {"POST": "create", "PUT": "update", "PATCH": "patch"}.get(method, method.lower())


def require(store: Store, user: ServiceAccountUser, verb: str, target: Target) -> None:
    """
    :raises StatusError: 403 unless a role that is bound to the user allows it.
    """
    if allows(store, user, verb, target):
        return
    resource = f"{target.kind.plural}/{target.subresource}" if target.subresource else target.kind.plural
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    what = f'{target.kind.qualified} "{target.name}"' if target.name else target.kind.qualified
    raise StatusError(
        403,
        "Forbidden",
        f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{target.kind.group}" {where}',
    )


def allows(store: Store, user: ServiceAccountUser, verb: str, target: Target) -> bool:
    return any(_covers(rule, verb, target) for rule in _rules(store, user, target.namespace))


def review(store: Store, user: ServiceAccountUser, spec: Object) -> bool:
    """What a SelfSubjectAccessReview asks for a resource."""
    asked = spec.get("resourceAttributes") or {}
    kind = by_plural(asked.get("group", ""), asked.get("version") or "v1", asked.get("resource", ""))
    if kind is None:
        return False
    target = Target(kind, asked.get("namespace", ""), asked.get("name", ""), asked.get("subresource", ""))
    return allows(store, user, asked.get("verb", ""), target)


def _rules(store: Store, user: ServiceAccountUser, namespace: str) -> Iterator[Object]:
    for binding in store.list(CLUSTER_ROLE_BINDING):
        if _names(binding.get("subjects") or [], user, ""):
            yield from _rules_of(store, binding["roleRef"], "")
    if not namespace:
        return
    for binding in store.list(ROLE_BINDING, namespace):
        if _names(binding.get("subjects") or [], user, namespace):
            yield from _rules_of(store, binding["roleRef"], namespace)


def _names(subjects: Iterable[Object], user: ServiceAccountUser, namespace: str) -> bool:
    return any(
        (subject["kind"], subject["name"], subject.get("namespace", namespace))
        == ("ServiceAccount", user.name, user.namespace)
        or (subject["kind"] == "Group" and subject["name"] in user.groups)
        or (subject["kind"] == "User" and subject["name"] == str(user))
        for subject in subjects
    )


def _rules_of(store: Store, reference: Object, namespace: str) -> Iterable[Object]:
    of_cluster = reference["kind"] == "ClusterRole"
    role = store.find(CLUSTER_ROLE if of_cluster else ROLE, "" if of_cluster else namespace, reference["name"])
    return (role.get("rules") or []) if role else []


def _covers(rule: Object, verb: str, target: Target) -> bool:
    resource = f"{target.kind.plural}/{target.subresource}" if target.subresource else target.kind.plural
    names = rule.get("resourceNames") or []
    return (
        _in(verb, rule.get("verbs"))
        and _in(target.kind.group, rule.get("apiGroups"))
        and _in(resource, rule.get("resources"))
        and (not names or target.name in names)
    )


def _in(value: str, listed: list[str] | None) -> bool:
    return "*" in (listed or []) or value in (listed or [])
