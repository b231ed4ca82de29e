# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AKS clusters (Microsoft.ContainerService/managedClusters): reading, and switching on OIDC issuer and workload identity.

An update sends the whole cluster back as it was read, with C(If-Match), so that nothing that others set is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arm.enums import spelling
from ..arm.errors import azure_errors
from ..arm.resource_id import ResourceId
from ..change import UNKNOWN, Change, State
from ..errors import AzureError, ConfigurationError, NotReady
from ..waiting import Deadline

if TYPE_CHECKING:
    from ..arm.session import Session

# How often a cluster that somebody else is changing is looked at, in seconds.
BUSY_POLL_S = 10.0

# The longest pause between two looks at our own update, where the service does not say Retry-After.
UPDATE_POLL_S = 10.0

_SETTLED = frozenset({"Succeeded", "Failed", "Canceled"})
_BUSY_CODES = frozenset({"OperationNotAllowed", "OperationPreempted", "AnotherOperationInProgress", "Conflict"})
_LOST_RACE_CODES = frozenset({"EtagMismatch", "PreconditionFailed"})


@dataclass(frozen=True)
class FeaturesSpec:
    """The wished-for features; None means leave as it is."""

    oidc_issuer: bool | None = None
    workload_identity: bool | None = None


@dataclass(frozen=True)
class Cluster:
    """A cluster as read: the service's model, which keeps fields that this SDK does not know, and our view of it."""

    model: Any
    state: State


def read(session: Session, resource_group: str, name: str) -> Cluster:
    """
    :raises ConfigurationError: when there is no such cluster.
    """
    try:
        with azure_errors(f"Reading cluster '{name}' in '{resource_group}'"):
            model = session.clusters.managed_clusters.get(resource_group, name)
    except AzureError as error:
        if error.code == "ResourceNotFound":
            raise ConfigurationError(
                f"Cluster '{name}' does not exist in resource group '{resource_group}' of subscription '{session.subscription_id}': "
                "check name, resource_group and subscription_id; the collection creates no clusters."
            ) from None
        raise
    return Cluster(model, _state(model))


def list_all(session: Session, resource_group: str | None) -> list[State]:
    """The clusters of a resource group, or of the subscription, page by page."""
    operations = session.clusters.managed_clusters
    with azure_errors(f"Listing the clusters in '{resource_group or session.subscription_id}'"):
        found = operations.list_by_resource_group(resource_group) if resource_group else operations.list()
        return [_state(each) for each in found]


def diff(observed: State, spec: FeaturesSpec) -> Change | None:
    """The change of features; pure.

    :raises ConfigurationError: for what the service cannot do.
    """
    issuer = _wanted(spec.oidc_issuer, observed["oidc_issuer_enabled"])
    workload_identity = _wanted(spec.workload_identity, observed["workload_identity_enabled"])
    name = observed["name"]
    if observed["oidc_issuer_enabled"] and not issuer:
        raise ConfigurationError(
            f"oidc_issuer: false: the OIDC issuer of cluster '{name}' is on and AKS cannot switch it off again. Leave oidc_issuer out or "
            "set it to true; to stop trusting the cluster, delete the federated credentials that name its issuer."
        )
    if workload_identity and not issuer:
        raise ConfigurationError(
            f"workload_identity: true needs the OIDC issuer of cluster '{name}', which is off: set oidc_issuer: true as well."
        )
    after = {**observed, "oidc_issuer_enabled": issuer, "workload_identity_enabled": workload_identity}
    if issuer and not observed["oidc_issuer_enabled"]:
        after["oidc_issuer_url"] = UNKNOWN
    if after == observed:
        return None
    refuse_unusable(observed)
    return Change.update(observed["id"], _shown(observed), _shown(after))


def refuse_unusable(observed: State) -> None:
    """
    :raises ConfigurationError: for a cluster that AKS would refuse to update until somebody acts.
    """
    where = f"--resource-group {observed['resource_group']} --name {observed['name']}"
    if observed["power_state"] == "Stopped":
        raise ConfigurationError(
            f"Cluster '{observed['name']}' is stopped; start it before changing its features: az aks start {where}"
        )
    if observed["provisioning_state"] == "Failed":
        raise ConfigurationError(
            f"The last operation on cluster '{observed['name']}' failed (provisioning state Failed); "
            f"repair it before changing its features: az aks update {where}"
        )


def update(session: Session, resource_group: str, name: str, spec: FeaturesSpec, deadline: Deadline) -> State:
    """Bring the cluster to the spec: read, change, write on condition that nobody wrote in between; again if somebody did.

    :returns: the cluster's state after the update.
    :raises NotReady: when the deadline passes first.
    """
    while True:
        cluster = wait_until_settled(session, resource_group, name, deadline)
        if diff(cluster.state, spec) is None:
            return cluster.state
        try:
            return _write(session, resource_group, name, _changed(cluster.model, spec), deadline)
        except AzureError as error:
            if not (_is_busy(error) or _is_lost_race(error)):
                raise
            if deadline.over:
                raise NotReady(
                    f"Cluster '{name}' stayed busy for {deadline.elapsed:.0f} s; last answer: {error}"
                ) from error
            if _is_busy(error):
                deadline.pause(BUSY_POLL_S)


def wait_until_settled(session: Session, resource_group: str, name: str, deadline: Deadline) -> Cluster:
    """
    :raises NotReady: when another operation is still going on at the deadline.
    """
    while True:
        cluster = read(session, resource_group, name)
        seen = cluster.state["provisioning_state"]
        if seen in _SETTLED:
            return cluster
        if deadline.over:
            raise NotReady(
                f"Cluster '{name}' was still in provisioning state '{seen}' after {deadline.elapsed:.0f} s; raise wait_timeout or try later."
            )
        deadline.pause(BUSY_POLL_S)


def _write(session: Session, resource_group: str, name: str, model: Any, deadline: Deadline) -> State:
    from azure.core import MatchConditions

    conditions: dict[str, Any] = {}
    if model.e_tag:
        conditions = {"etag": model.e_tag, "match_condition": MatchConditions.IfNotModified}
    with azure_errors(f"Updating cluster '{name}'"):
        poller = session.clusters.managed_clusters.begin_create_or_update(
            resource_group, name, model, polling_interval=UPDATE_POLL_S, **conditions
        )
        poller.wait(deadline.remaining)
        if not poller.done():
            raise NotReady(
                f"The update of cluster '{name}' was accepted and is still running after {deadline.elapsed:.0f} s "
                f"(status {poller.status()}); raise wait_timeout, or run again later: it will be waited for."
            )
        return _state(poller.result())


def _changed(model: Any, spec: FeaturesSpec) -> Any:
    from azure.mgmt.containerservice import models

    properties = model.properties
    if spec.oidc_issuer is not None:
        properties.oidc_issuer_profile = properties.oidc_issuer_profile or models.ManagedClusterOIDCIssuerProfile()
        properties.oidc_issuer_profile.enabled = spec.oidc_issuer
    if spec.workload_identity is not None:
        properties.security_profile = properties.security_profile or models.ManagedClusterSecurityProfile()
        security = properties.security_profile
        security.workload_identity = (
            security.workload_identity or models.ManagedClusterSecurityProfileWorkloadIdentity()
        )
        security.workload_identity.enabled = spec.workload_identity
    return model


def _is_busy(error: AzureError) -> bool:
    return error.status == 409 and error.code in _BUSY_CODES


def _is_lost_race(error: AzureError) -> bool:
    return error.status == 412 or error.code in _LOST_RACE_CODES


def _wanted(wish: bool | None, observed: bool) -> bool:
    return observed if wish is None else wish


def _shown(state: State) -> State:
    """What a diff shows of a cluster: what we manage."""
    return {each: state[each] for each in ("oidc_issuer_enabled", "oidc_issuer_url", "workload_identity_enabled")}


def _state(model: Any) -> State:
    properties = model.properties
    issuer = properties.oidc_issuer_profile
    security = properties.security_profile
    workload_identity = security.workload_identity if security else None
    kubelet = (properties.identity_profile or {}).get("kubeletidentity")
    return {
        "id": model.id,
        "name": model.name,
        "resource_group": ResourceId.parse(model.id).resource_group,
        "location": model.location,
        "tags": dict(model.tags or {}),
        "kubernetes_version": properties.current_kubernetes_version or properties.kubernetes_version,
        "provisioning_state": spelling(properties.provisioning_state),
        "power_state": spelling(properties.power_state.code if properties.power_state else "") or "Running",
        "fqdn": properties.fqdn or properties.private_fqdn,
        "node_resource_group": properties.node_resource_group,
        "kubelet_client_id": kubelet.client_id if kubelet else None,
        "local_accounts_disabled": bool(properties.disable_local_accounts),
        "oidc_issuer_enabled": bool(issuer and issuer.enabled),
        "oidc_issuer_url": (issuer.issuer_url if issuer else None) or "",
        "workload_identity_enabled": bool(workload_identity and workload_identity.enabled),
    }
