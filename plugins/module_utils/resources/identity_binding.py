# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identity bindings of AKS clusters (Microsoft.ContainerService/managedClusters/identityBindings).

A binding lets a cluster's pods use an identity without a federated credential for each of their ServiceAccounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..arm.enums import spelling
from ..arm.errors import azure_errors
from ..arm.resource_id import ResourceId, key
from ..change import UNKNOWN, Action, Change, State
from ..errors import AzureError, ConfigurationError, NotReady
from ..waiting import Deadline, retry
from . import user_assigned_identity

if TYPE_CHECKING:
    from ..arm.session import Session

IDENTITY_API_VERSION = "2024-11-30"

# The longest pause between two looks at a binding, where the service does not say Retry-After.
POLL_S = 5.0

_BUSY_CODES = frozenset({"OperationNotAllowed", "OperationPreempted", "AnotherOperationInProgress"})
_MISSING_CODES = frozenset({"ResourceNotFound", "ParentResourceNotFound", "NotFound", "ResourceGroupNotFound"})
_ENDED_BADLY = frozenset({"Failed", "Canceled"})
_DELETING = "Deleting"


def binding_id(cluster_id: str, name: str) -> str:
    return f"{cluster_id}/identityBindings/{name}"


def identity_id_of(session: Session, identity: str, resource_group: str) -> str:
    """The ARM id of an identity that is given by name or by id.

    :param resource_group: where an identity is that is given by name.
    """
    if "/" not in identity:
        user_assigned_identity.validate_name(identity)
        return user_assigned_identity.identity_id(session, resource_group, identity)
    ResourceId.parse(identity)
    if f"/providers/{user_assigned_identity.PROVIDER_TYPE}/".lower() not in identity.lower():
        raise ConfigurationError(f"identity '{identity}' is not the id of a user-assigned managed identity.")
    return identity.rstrip("/")


def client_id_of(session: Session, identity_id: str) -> str | None:
    """The client id of an identity in any subscription; None when there is no such identity."""
    try:
        # Not by the identity SDK, whose client knows one subscription.
        return str(session.get(identity_id, api_version=IDENTITY_API_VERSION)["properties"]["clientId"])
    except AzureError as error:
        if is_missing(error):
            return None
        raise


def list_of(session: Session, resource_group: str, cluster: str) -> list[State]:
    """The bindings of a cluster, page by page."""
    with azure_errors(f"Listing the identity bindings of cluster '{cluster}'"):
        return [
            _state(each) for each in session.clusters.identity_bindings.list_by_managed_cluster(resource_group, cluster)
        ]


def read(session: Session, resource_group: str, cluster: str, name: str) -> State | None:
    """
    :returns: None when there is no such binding, cluster or resource group.
    """
    try:
        with azure_errors(f"Reading identity binding '{name}' of cluster '{cluster}'"):
            return _state(session.clusters.identity_bindings.get(resource_group, cluster, name))
    except AzureError as error:
        if is_missing(error):
            return None
        raise


def diff(
    cluster: State, observed: Iterable[State], name: str, identity_id: str, client_id: str = UNKNOWN
) -> Change | None:
    """The change that binds the identity to the cluster under that name; pure.

    :param observed: all bindings of the cluster.
    :param client_id: of the identity, as far as it is known.
    :raises ConfigurationError: for what the service cannot do.
    """
    standing = [each for each in observed if not is_being_deleted(each)]
    found = next((each for each in standing if each["name"].lower() == name.lower()), None)
    if found and key(found["identity_id"]) != key(identity_id):
        raise ConfigurationError(
            f"Identity binding '{name}' of cluster '{cluster['name']}' binds '{found['identity_id']}', and AKS cannot change which "
            f"identity a binding is for. Give the binding of '{identity_id}' another name; or delete this one first "
            "(state: absent), whose pods then get no more tokens."
        )
    for other in standing:
        if other is not found and key(other["identity_id"]) == key(identity_id):
            raise ConfigurationError(
                f"Identity '{identity_id}' is bound to cluster '{cluster['name']}' already, by binding '{other['name']}', and AKS "
                f"takes one binding for an identity and a cluster. Set name: {other['name']}; any number of ServiceAccounts can share it."
            )
    if found is None:
        return Change.create(binding_id(cluster["id"], name), _predicted(cluster, name, identity_id, client_id))
    if found["provisioning_state"] in _ENDED_BADLY:
        return Change.update(found["id"], found, {**found, "provisioning_state": "Succeeded"})
    return None


def is_missing(error: AzureError) -> bool:
    """Whether there is no such binding, cluster or resource group."""
    return error.code in _MISSING_CODES


def is_being_deleted(binding: State) -> bool:
    return bool(binding["provisioning_state"] == _DELETING)


def is_settled(binding: State) -> bool:
    """Whether no operation is going on."""
    return binding["provisioning_state"] in ("Succeeded", *_ENDED_BADLY)


def is_binding(resource_id: str) -> bool:
    return "/identitybindings/" in resource_id.lower()


def refuse_without_workload_identity(cluster: State) -> None:
    """
    :raises ConfigurationError: for a cluster whose pods could not use the binding.
    """
    if not cluster["workload_identity_enabled"]:
        raise ConfigurationError(
            f"Cluster '{cluster['name']}' has workload identity switched off, which identity bindings need: switch it on with "
            "aks.virtual_nodes.cluster_features (oidc_issuer: true, workload_identity: true)."
        )


def write(session: Session, change: Change, deadline: Deadline, *, wait: bool) -> State | None:
    """Carry out a change that C(diff) planned, or a deletion. A busy cluster or binding is waited for.

    :param wait: until the service is done, not only until it accepted.
    :raises NotReady: when the deadline passes first.
    """
    cluster, name = ResourceId.parse(change.resource_id), change.resource_id.rsplit("/", 1)[-1]
    operations = session.clusters.identity_bindings
    options: dict[str, Any] = {"polling_interval": POLL_S} if wait else {"polling": False}

    def start() -> Any:
        with azure_errors(f"Writing identity binding '{name}' of cluster '{cluster.name}' ({change.action})"):
            if change.action is Action.DELETE or change.after is None:
                return operations.begin_delete(cluster.resource_group, cluster.name, name, **options)
            return operations.begin_create_or_update(
                cluster.resource_group, cluster.name, name, _body(change.after), **options
            )

    poller = retry(start, when=_is_busy, deadline=deadline)
    with azure_errors(f"Identity binding '{name}' of cluster '{cluster.name}' ({change.action})"):
        poller.wait(deadline.remaining)
        if not poller.done():
            raise NotReady(
                f"The {change.action} of identity binding '{name}' was accepted and is still going on after {deadline.elapsed:.0f} s "
                f"(status {poller.status()}); raise wait_timeout, or run again later: it will be waited for."
            )
        result = poller.result()
    return None if change.action is Action.DELETE else _state(result)


def wait_until_settled(
    session: Session, resource_group: str, cluster: str, name: str, deadline: Deadline
) -> State | None:
    """Wait for an operation that somebody else, or an earlier run, began.

    :returns: the binding; None once it is gone.
    """
    while True:
        found = read(session, resource_group, cluster, name)
        if found is None or is_settled(found):
            return found
        if deadline.over:
            raise NotReady(
                f"Identity binding '{name}' of cluster '{cluster}' was still in provisioning state '{found['provisioning_state']}' after "
                f"{deadline.elapsed:.0f} s; raise wait_timeout or try later."
            )
        deadline.pause(POLL_S)


def _is_busy(error: AzureError) -> bool:
    return error.status == 409 and error.code in _BUSY_CODES


def _predicted(cluster: State, name: str, identity_id: str, client_id: str) -> State:
    return {
        "id": binding_id(cluster["id"], name),
        "name": name,
        "identity_id": identity_id,
        "client_id": client_id,
        "oidc_issuer_url": UNKNOWN,
        "provisioning_state": "Succeeded",
    }


def _body(after: State) -> Any:
    from azure.mgmt.containerservice import models

    identity = models.IdentityBindingManagedIdentityProfile(resource_id=after["identity_id"])
    return models.IdentityBinding(properties=models.IdentityBindingProperties(managed_identity=identity))


def _state(model: Any) -> State:
    properties = model.properties
    identity, issuer = properties.managed_identity, properties.oidc_issuer
    return {
        "id": model.id,
        "name": model.name,
        "identity_id": identity.resource_id,
        "client_id": identity.client_id or "",
        "oidc_issuer_url": (issuer.oidc_issuer_url if issuer else None) or "",
        "provisioning_state": spelling(properties.provisioning_state),
    }
