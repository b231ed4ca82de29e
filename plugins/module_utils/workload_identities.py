# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many identities at once: read what is there with few requests, plan, and write with several workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from .arm.resource_id import ResourceId, key
from .arm.session import MOST_CONNECTIONS
from .change import Change, State, States
from .errors import AzureError
from .parallel import parallel
from .plan.identity_bindings import ClusterBindings
from .plan.plan import Plan
from .plan.workload_identities import (
    Federation,
    Observed,
    Wishes,
    WorkloadIdentity,
    concerned,
    plan_absent,
    plan_present,
    report,
    spread,
)
from .progress import Tally
from .resources import (
    federated_credential,
    identity_binding,
    managed_cluster,
    resource_group,
    role_assignment,
    user_assigned_identity,
)
from .resources.federated_credential import FederatedCredential
from .resources.role_assignment import RoleAssignment, RoleGrant
from .waiting import Deadline

if TYPE_CHECKING:
    from .arm.session import Session

T = TypeVar("T")

# Requests under way at once: with 150 ms each they empty ARM's buckets (200 writes, 250 reads) in a second, and then wait for its refill.
WORKERS = MOST_CONNECTIONS


@dataclass(frozen=True)
class ClusterName:
    """A cluster of the session's subscription."""

    name: str
    resource_group: str


def make_plan(
    session: Session,
    group: str,
    wanted: Sequence[WorkloadIdentity],
    issuers: Sequence[str],
    clusters: Sequence[ClusterName] = (),
    *,
    present: bool,
    delete_identities: bool = False,
    exclusive: bool = False,
    predicting: bool = False,
    pending_scopes: Sequence[str] = (),
    wait_timeout: float = 600,
    tally: Tally | None = None,
) -> Plan:
    """Read and plan; nothing is written.

    :param wanted: already validated.
    :param clusters: those that identities with Federation.BINDING are bound to; not asked about without such identities.
    :param predicting: accept a cluster that is not ready yet, and wait for nothing (check mode).
    :param pending_scopes: ids of resources that need not be there yet, or no longer: they have no role assignments then.
    :param wait_timeout: seconds that each identity binding may take.
    :param delete_identities: with C(present=False), delete the identities themselves as well.
    :param exclusive: with C(present=True), delete the identities' credentials that are not wanted.
    :param tally: told of each identity read.
    """
    tally = tally or Tally()
    tally.begin("reading")
    existing, credentials = _identities_and_credentials(session, group, wanted, tally, present=present)
    shards = spread(wanted, issuers, credentials, present=present, exclusive=exclusive)
    ids = {
        each.identity.name.lower(): user_assigned_identity.identity_id(session, group, each.identity.name)
        for each in shards
    }
    wishes = Wishes(shards, issuers, ids, exclusive)
    bindings = _clusters(session, wishes, clusters, wait_timeout, present=present, predicting=predicting)
    pending = {key(scope) for scope in pending_scopes}
    observed = _observe(session, group, wishes, existing, credentials, bindings, pending, present=present)
    if present:
        chains = plan_present(wishes, observed)
    else:
        chains = plan_absent(wishes, observed, delete_identities=delete_identities)
    return Plan(
        observed=observed.states(ids),
        chains=chains,
        apply=lambda change, states: _apply(session, group, change, states, wait_timeout),
        report=lambda states: {"identities": report(wishes, states), "summary": _summary(chains, len(shards))},
        workers=WORKERS,
    )


def _identities_and_credentials(
    session: Session, group: str, wanted: Sequence[WorkloadIdentity], tally: Tally, *, present: bool
) -> tuple[dict[str, State], dict[str, Sequence[FederatedCredential]]]:
    """Those that exist of the wanted identities and of what is named like their shards, by lower-case name."""

    def credentials_of(name: str) -> list[FederatedCredential]:
        found = _credentials(session, group, name)
        tally.add()
        return found

    existing: dict[str, State] = {}
    reads: dict[str, Future[list[FederatedCredential]]] = {}
    is_concerned = concerned(wanted)
    with ThreadPoolExecutor(max_workers=WORKERS) as pool:
        try:
            # While the next page of identities is awaited, the credentials of those of the last are read.
            for identity in user_assigned_identity.each_in_group(session, group):
                name = str(identity["name"]).lower()
                if is_concerned(name):
                    tally.expect()
                    existing[name] = identity
                    reads[name] = pool.submit(credentials_of, name)
            return existing, {name: read.result() for name, read in reads.items()}
        except AzureError as error:
            pool.shutdown(cancel_futures=True)
            if present or error.code != "ResourceGroupNotFound":
                raise
            return {}, {}


def _clusters(
    session: Session,
    wishes: Wishes,
    names: Sequence[ClusterName],
    wait_timeout: float,
    *,
    present: bool,
    predicting: bool,
) -> list[ClusterBindings]:
    """The clusters, with the bindings of the wanted identities settled: an earlier run may have left one under way."""
    bound = {
        key(wishes.identity_ids[each.identity.name.lower()])
        for each in wishes.identities
        if each.federation is Federation.BINDING
    }
    deadline = Deadline(wait_timeout)

    def read(name: ClusterName) -> ClusterBindings:
        cluster = managed_cluster.read(session, name.resource_group, name.name).state if present else {}
        if present and not predicting:
            identity_binding.refuse_without_workload_identity(cluster)
        found = _bindings(session, name, present=present)
        moving = [each for each in found if key(each["identity_id"]) in bound and not identity_binding.is_settled(each)]
        if predicting or not moving:
            return ClusterBindings(cluster, found)
        for each in moving:
            identity_binding.wait_until_settled(session, name.resource_group, name.name, each["name"], deadline)
        return ClusterBindings(cluster, _bindings(session, name, present=present))

    return parallel(read, list(dict.fromkeys(names)), WORKERS) if bound else []


def _bindings(session: Session, cluster: ClusterName, *, present: bool) -> list[State]:
    try:
        return identity_binding.list_of(session, cluster.resource_group, cluster.name)
    except AzureError as error:
        if present or not identity_binding.is_missing(error):
            raise
        return []  # the cluster is gone, and its bindings with it


def _observe(
    session: Session,
    group: str,
    wishes: Wishes,
    existing: Mapping[str, State],
    credentials: Mapping[str, Sequence[FederatedCredential]],
    clusters: Sequence[ClusterBindings],
    pending: set[str],
    *,
    present: bool,
) -> Observed:
    found = [name for name in wishes.identity_ids if name in existing]
    if not present and not found:
        return Observed()
    needs_location = present and any(
        not wish.identity.location for wish in wishes.identities if wish.identity.name.lower() not in existing
    )
    grants = {grant for wish in wishes.identities for grant in wish.role_grants}
    return Observed(
        default_location=resource_group.location_of(session, group) if needs_location else "",
        identities={name: existing[name] for name in found},
        credentials={name: credentials[name] for name in found},
        clusters=clusters,
        role_assignments=_flatten(
            parallel(
                lambda scope: _assignments(session, scope, pending),
                role_assignment.distinct_scopes(grants),
                WORKERS,
            )
        ),
        role_definition_ids=_role_definitions(session, grants),
    )


def _assignments(session: Session, scope: str, pending: set[str]) -> list[RoleAssignment]:
    try:
        return role_assignment.list_at_scope(session, scope)
    except AzureError as error:
        if error.status == 404 and key(scope) in pending:
            return []
        raise


def _credentials(session: Session, group: str, identity: str) -> list[FederatedCredential]:
    try:
        return federated_credential.list_of(session, group, identity)
    except AzureError as error:
        if federated_credential.is_missing_identity(error):  # deleted since it was listed
            return []
        raise


def _role_definitions(session: Session, grants: Iterable[RoleGrant]) -> Mapping[RoleGrant, str]:
    """One look-up for each role: built-in roles are the same at every scope; a custom role is visible wherever it may be assigned."""
    by_role: dict[str, str] = {}
    ordered = sorted(grants, key=lambda grant: (grant.role, grant.scope))
    for grant in ordered:
        if grant.role not in by_role:
            by_role[grant.role] = role_assignment.role_definition_id(session, grant)
    return {grant: by_role[grant.role] for grant in ordered}


def _apply(session: Session, group: str, change: Change, states: States, wait_timeout: float) -> State | None:
    if role_assignment.is_assignment(change.resource_id):
        owner = states.get(str((change.after or {}).get("identity_id")), {})  # made a moment ago, earlier in this chain
        return role_assignment.write(session, change, str(owner.get("principal_id", "")))
    if identity_binding.is_binding(change.resource_id):
        return identity_binding.write(session, change, Deadline(wait_timeout), wait=True)
    if "/federatedidentitycredentials/" in change.resource_id.lower():
        identity = ResourceId.parse(change.resource_id).name
        return federated_credential.write(session, group, identity, change)
    return user_assigned_identity.write(session, change)


def _summary(chains: Sequence[Sequence[Change]], identities: int) -> dict[str, int]:
    counts = Counter(str(change.action) for chain in chains for change in chain)
    return {
        "identities": identities,
        "created": counts["create"],
        "updated": counts["update"],
        "deleted": counts["delete"],
    }


def _flatten(lists: Iterable[Iterable[T]]) -> list[T]:
    return [item for each in lists for item in each]
