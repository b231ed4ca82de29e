# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that bind an identity to clusters, or release it; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..arm.resource_id import key
from ..change import Change, State
from ..resources import identity_binding
from ..resources.federated_credential import FederatedCredential
from .federated_credentials import check_room

_LONGEST_NAME = 63  # the pattern in azure-mgmt-containerservice; all that names of identities may hold is allowed


@dataclass(frozen=True)
class ClusterBindings:
    """A cluster and all the identity bindings it has."""

    cluster: State
    bindings: Sequence[State] = ()

    def of(self, identity_id: str) -> State | None:
        """The binding of an identity, of which AKS allows one; none that is on its way out."""
        standing = (each for each in self.bindings if not identity_binding.is_being_deleted(each))
        return next((each for each in standing if key(each["identity_id"]) == key(identity_id)), None)


def plan_bindings(identity_id: str, client_id: str, clusters: Iterable[ClusterBindings]) -> list[Change]:
    """The changes so that the identity is bound to each cluster, under whatever name it already is.

    :param client_id: of the identity, as far as it is known.
    """
    changes = []
    for each in clusters:
        name = _name(identity_id, each)
        change = identity_binding.diff(each.cluster, each.bindings, name, identity_id, client_id)
        if change:
            changes.append(change)
    return changes


def plan_release(identity_id: str, clusters: Iterable[ClusterBindings]) -> list[Change]:
    """Deletions of the identity's bindings to these clusters."""
    return [Change.delete(found["id"], found) for each in clusters if (found := each.of(identity_id))]


def check_room_for_binding(identity_id: str, credentials: Sequence[FederatedCredential]) -> None:
    """
    :raises ConfigurationError: when AKS could not put its credential onto the identity.
    """
    if not any(each.belongs_to_aks for each in credentials):
        check_room(identity_id, len(credentials) + 1)


def _name(identity_id: str, cluster: ClusterBindings) -> str:
    """The name that the binding has; else the identity's, with a digest where that is too long or another's."""
    found = cluster.of(identity_id)
    if found:
        return str(found["name"])
    own = identity_id.rsplit("/", 1)[-1]
    taken = {str(each["name"]).lower() for each in cluster.bindings if not identity_binding.is_being_deleted(each)}
    if len(own) <= _LONGEST_NAME and own.lower() not in taken:
        return own
    digest = hashlib.sha256(key(identity_id).encode()).hexdigest()[:10]
    return f"{own[: _LONGEST_NAME - len(digest) - 1]}-{digest}"
