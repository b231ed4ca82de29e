# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applications into the identities that C(workload_identities) takes, and its result into ServiceAccounts and their rights; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.objects import Manifest
from .applications import Application, by_account, by_identity, by_namespace

_ANNOTATION = "azure.workload.identity/"
_RBAC = "rbac.authorization.k8s.io"
# The group of client ids that AKS looks up rights on (Microsoft Learn, identity bindings).
_CLIENT_IDS = "cid.wi.aks.azure.com"

# <namespace>/<name> of each ServiceAccount, to C(identity), C(client_id) and C(tenant_id) of the one that trusts it.
Accounts = Mapping[str, Mapping[str, str]]


def identities(given: Sequence[Application]) -> list[dict[str, Any]]:
    """One for each name, with the ServiceAccounts, tags and roles of all applications that share it."""
    return [_identity(group) for group in by_identity(given)]


def _identity(group: Sequence[Application]) -> dict[str, Any]:
    tags = [each.tags for each in group if each.tags is not None]
    assignments: list[Mapping[str, Any]] = []
    for each in group:
        assignments += [one for one in each.role_assignments if one not in assignments]
    return {
        "name": group[0].identity,
        **({"tags": {name: value for some in tags for name, value in some.items()}} if tags else {}),
        "federation": group[0].federation,
        "shard": any(each.shard for each in group),
        "service_accounts": [
            {"namespace": sharing[0].namespace, "name": sharing[0].service_account} for sharing in by_account(group)
        ],
        "role_assignments": assignments,
    }


def service_accounts(found: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Which of the identities trusts whom: of several that share a name's load, only the module knows.

    :param found: C(identities) in the result of C(workload_identities).
    """
    return {
        f"{account['namespace']}/{account['name']}": {
            "identity": identity["name"],
            "client_id": identity["client_id"],
            "tenant_id": identity["tenant_id"],
        }
        for identity in found
        for account in identity["service_accounts"]
    }


def checks(given: Sequence[Application], accounts: Accounts) -> list[dict[str, str]]:
    """What C(workload_identity_check) proves.

    A bound identity is asked for at the cluster and with another audience; Entra would refuse the token that the check has.
    """
    credentials = [each for each in given if not each.bound]
    return [
        {
            "identity": accounts[group[0].account]["identity"],
            "namespace": group[0].namespace,
            "service_account": group[0].service_account,
        }
        for group in by_account(credentials)
    ]


@dataclass(frozen=True)
class Manifests:
    """
    :ivar resource_group: of the identities; it is part of the names of rights, since a cluster may have identities of many groups.
    :ivar namespaces: whether the Namespaces are among them.
    :ivar tenant: whether ServiceAccounts are annotated with the tenant.
    """

    resource_group: str
    namespaces: bool
    tenant: bool

    def present(self, given: Sequence[Application], accounts: Accounts) -> list[Manifest]:
        made: list[Manifest] = []
        for group in by_namespace(given):
            made += self._namespace(group)
            for sharing in by_account(group):
                made.append(self._account(sharing[0], accounts))
        for group in self._bound(given):
            made += self._rights(group, accounts)
        return made

    def absent(self, given: Sequence[Application]) -> list[Manifest]:
        """The same objects, as far as it takes to remove them."""
        gone: list[Manifest] = []
        for group in by_namespace(given):
            gone += self._namespace(group)
            for sharing in by_account(group):
                gone.append(_service_account(sharing[0]))
        for group in self._bound(given):
            gone += [_cluster_object(kind, self._rights_name(group)) for kind in ("ClusterRole", "ClusterRoleBinding")]
        return gone

    def _namespace(self, group: Sequence[Application]) -> list[Manifest]:
        if not self.namespaces:
            return []
        return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": group[0].namespace}}]

    def _account(self, application: Application, accounts: Accounts) -> Manifest:
        found = accounts[application.account]
        annotations = {f"{_ANNOTATION}client-id": found["client_id"]}
        if self.tenant:
            annotations[f"{_ANNOTATION}tenant-id"] = found["tenant_id"]
        if application.token_expiration_seconds is not None:
            seconds = str(application.token_expiration_seconds)
            annotations[f"{_ANNOTATION}service-account-token-expiration"] = seconds
        manifest = dict(_service_account(application))
        manifest["metadata"] = {**manifest["metadata"], "annotations": annotations}
        return manifest

    @staticmethod
    def _bound(given: Sequence[Application]) -> list[list[Application]]:
        return by_identity([each for each in given if each.bound])

    def _rights_name(self, group: Sequence[Application]) -> str:
        return f"aks.virtual_nodes:{self.resource_group}:{group[0].identity}".lower()

    def _rights(self, group: Sequence[Application], accounts: Accounts) -> list[Manifest]:
        """Exactly the ServiceAccounts of the applications may use the identity."""
        name = self._rights_name(group)
        client_id = accounts[group[0].account]["client_id"]
        rule = {"apiGroups": [_CLIENT_IDS], "resources": [client_id], "verbs": ["use-managed-identity"]}
        subjects = [
            {"kind": "ServiceAccount", "namespace": each[0].namespace, "name": each[0].service_account}
            for each in by_account(group)
        ]
        return [
            {**_cluster_object("ClusterRole", name), "rules": [rule]},
            {
                **_cluster_object("ClusterRoleBinding", name),
                "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": name},
                "subjects": subjects,
            },
        ]


def _service_account(application: Application) -> Manifest:
    metadata = {"name": application.service_account, "namespace": application.namespace}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}


def _cluster_object(kind: str, name: str) -> Manifest:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": {"name": name}}
