# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""User-assigned managed identities (Microsoft.ManagedIdentity/userAssignedIdentities)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arm.enums import spelling
from ..arm.errors import azure_errors
from ..arm.resource_id import ResourceId, provider_id
from ..change import UNKNOWN, Action, Change, State
from ..errors import AzureError, ConfigurationError

if TYPE_CHECKING:
    from ..arm.session import Session

PROVIDER_TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"

# 3 to 128 letters, digits, hyphens and underscores (Microsoft Learn, naming rules for Azure resources).
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{2,127}")


@dataclass(frozen=True)
class IdentitySpec:
    """A wished-for identity; None means that the property is left as it is (or to the service's default).

    :ivar location: Azure region; immutable once the identity exists.
    :ivar append_tags: keep tags that are not listed.
    :ivar isolation_scope: C(None) or C(Regional), in the service's spelling.
    """

    name: str
    location: str | None = None
    tags: Mapping[str, str] | None = None
    append_tags: bool = True
    isolation_scope: str | None = None

    def validate(self) -> None:
        validate_name(self.name)


def validate_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"Identity name '{name}': 3 to 128 letters, digits, hyphens and underscores are allowed, starting with a letter or digit."
        )


def identity_id(session: Session, resource_group: str, name: str) -> str:
    return provider_id(session.subscription_id, resource_group, PROVIDER_TYPE, name)


def read(session: Session, resource_group: str, name: str) -> State | None:
    """
    :returns: the identity's state; None when it does not exist.
    :raises AzureError: C(ResourceGroupNotFound) when it is the group that does not exist.
    """
    try:
        with azure_errors(f"Reading identity '{name}' in '{resource_group}'"):
            return _state(session.identities.user_assigned_identities.get(resource_group, name))
    except AzureError as error:
        if error.code == "ResourceNotFound":
            return None
        raise


def each_in_group(session: Session, resource_group: str) -> Iterator[State]:
    """All identities of a resource group; each page is asked for when the one before is used up."""
    with azure_errors(f"Listing the identities in '{resource_group}'"):
        for each in session.identities.user_assigned_identities.list_by_resource_group(resource_group):
            yield _state(each)


def list_in_subscription(session: Session) -> list[State]:
    """All identities of the subscription, page by page."""
    with azure_errors("Listing the identities of the subscription"):
        return [_state(each) for each in session.identities.user_assigned_identities.list_by_subscription()]


def diff(resource_id: str, spec: IdentitySpec, observed: State | None, default_location: str) -> Change | None:
    """The change that takes the observed identity to the wished-for one; pure.

    :param default_location: for a new identity whose spec names no location.
    """
    if observed is None:
        return Change.create(resource_id, _predicted(resource_id, spec, default_location))
    if spec.location and normal_location(spec.location) != normal_location(str(observed["location"])):
        raise ConfigurationError(
            f"Identity '{spec.name}' is in location '{observed['location']}' and cannot be moved to '{spec.location}': "
            "leave location out, or delete the identity first (its client id will change)."
        )
    after = dict(observed)
    if spec.tags is not None:
        after["tags"] = {**observed["tags"], **spec.tags} if spec.append_tags else dict(spec.tags)
    if spec.isolation_scope is not None:
        after["isolation_scope"] = spec.isolation_scope
    return None if after == observed else Change.update(resource_id, observed, after)


def write(session: Session, change: Change) -> State | None:
    """Carry out a change that C(diff) planned."""
    target = ResourceId.parse(change.resource_id)
    operations = session.identities.user_assigned_identities
    with azure_errors(f"Writing identity '{target.name}' ({change.action})"):
        if change.action is Action.DELETE or change.after is None:
            operations.delete(target.resource_group, target.name)
            return None
        if change.action is Action.CREATE:
            return _state(operations.create_or_update(target.resource_group, target.name, _body(change.after)))
        return _state(operations.update(target.resource_group, target.name, _patch(change.after)))


def normal_location(location: str) -> str:
    """C(West Europe) and C(westeurope) are the same region."""
    return location.replace(" ", "").lower()


def _predicted(resource_id: str, spec: IdentitySpec, default_location: str) -> State:
    return {
        "id": resource_id,
        "name": spec.name,
        "resource_group": ResourceId.parse(resource_id).resource_group,
        "location": normal_location(spec.location or default_location),
        "tags": dict(spec.tags or {}),
        "isolation_scope": spec.isolation_scope or "None",
        "client_id": UNKNOWN,
        "principal_id": UNKNOWN,
        "tenant_id": UNKNOWN,
    }


def _state(identity: Any) -> State:
    return {
        "id": identity.id,
        "name": identity.name,
        "resource_group": ResourceId.parse(identity.id).resource_group,
        "location": identity.location,
        "tags": dict(identity.tags or {}),
        "isolation_scope": spelling(identity.isolation_scope) or "None",
        "client_id": identity.client_id,
        "principal_id": identity.principal_id,
        "tenant_id": identity.tenant_id,
    }


def _body(after: State) -> Any:
    from azure.mgmt.msi.v2024_11_30.models import Identity

    return Identity(location=after["location"], tags=after["tags"], isolation_scope=_scope(after))


def _patch(after: State) -> Any:
    from azure.mgmt.msi.v2024_11_30.models import IdentityUpdate

    return IdentityUpdate(tags=after["tags"], isolation_scope=_scope(after))


def _scope(after: State) -> str | None:
    # "None" is the service's default; sent only when chosen, since older api-versions do not know the property.
    return None if after["isolation_scope"] == "None" else str(after["isolation_scope"])
