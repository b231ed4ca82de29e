# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The changes that take many identities, their credentials and role assignments to the wished-for state; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from ..arm.resource_id import key
from ..change import UNKNOWN, Change, State, States
from ..errors import ConfigurationError
from ..resources import role_assignment, user_assigned_identity
from ..resources.federated_credential import (
    CREDENTIALS_PER_IDENTITY,
    DEFAULT_AUDIENCE,
    FederatedCredential,
    service_account_subject,
    validate_issuer,
)
from ..resources.identity_binding import is_binding
from ..resources.role_assignment import AssignmentIndex, RoleAssignment, RoleGrant
from ..resources.user_assigned_identity import IdentitySpec
from .federated_credentials import credential_name, plan_removal, plan_trusts
from .identity_bindings import ClusterBindings, check_room_for_binding, plan_bindings, plan_release
from .shards import holders, place, shard_name, split_name


@dataclass(frozen=True, order=True)
class ServiceAccount:
    namespace: str
    name: str

    @property
    def subject(self) -> str:
        return service_account_subject(self.namespace, self.name)


class Federation(StrEnum):
    """CREDENTIAL: a federated credential for each ServiceAccount and issuer. BINDING: an AKS identity binding for each cluster."""

    CREDENTIAL = "credential"
    BINDING = "binding"


@dataclass(frozen=True)
class WorkloadIdentity:
    """One wished-for identity with all that hangs on it.

    :ivar federation: how pods of the clusters come to act as the identity.
    :ivar shard: an entry whose service accounts are still to be spread over several identities, see C(spread).
    :ivar shard_of: name of the entry, when this is one of its shards.
    """

    identity: IdentitySpec
    service_accounts: tuple[ServiceAccount, ...] = ()
    role_grants: tuple[RoleGrant, ...] = ()
    federation: Federation = Federation.CREDENTIAL
    shard: bool = False
    shard_of: str = ""


@dataclass(frozen=True)
class Observed:
    """What is there of the wished-for identities.

    :ivar identities: by lower-case name.
    :ivar credentials: by lower-case name of the identity.
    :ivar role_assignments: of every scope that a wish names.
    :ivar role_definition_ids: role, as the user wrote it, and scope -> id.
    :ivar clusters: those that identities with Federation.BINDING are for.
    """

    default_location: str = ""
    identities: Mapping[str, State] = field(default_factory=dict)
    credentials: Mapping[str, Sequence[FederatedCredential]] = field(default_factory=dict)
    role_assignments: Sequence[RoleAssignment] = ()
    role_definition_ids: Mapping[RoleGrant, str] = field(default_factory=dict)
    clusters: Sequence[ClusterBindings] = ()

    @cached_property
    def assigned(self) -> AssignmentIndex:
        return AssignmentIndex(self.role_assignments)

    def states(self, identity_ids: Mapping[str, str]) -> States:
        states = States({state["id"]: state for state in self.identities.values()})
        states.update({each["id"]: each for cluster in self.clusters for each in cluster.bindings})
        for name, credentials in self.credentials.items():
            states.update(
                {each.state(identity_ids[name])["id"]: each.state(identity_ids[name]) for each in credentials}
            )
        return states


@dataclass(frozen=True)
class Wishes:
    """The whole input.

    :ivar identities: after C(spread).
    :ivar issuers: every ServiceAccount is trusted with each of them (one for each cluster).
    :ivar identity_ids: lower-case name -> ARM id, of every identity in C(identities).
    :ivar exclusive: whether credentials of these identities that are not wished for are to go.
    """

    identities: Sequence[WorkloadIdentity]
    issuers: Sequence[str]
    identity_ids: Mapping[str, str]
    exclusive: bool = False

    def credentials(self, wish: WorkloadIdentity) -> list[FederatedCredential]:
        if wish.federation is Federation.BINDING:
            return []
        return [each for account in wish.service_accounts for each in _credentials(account, self.issuers)]


def _credentials(account: ServiceAccount, issuers: Iterable[str]) -> list[FederatedCredential]:
    return [
        FederatedCredential(
            credential_name(issuer, account.namespace, account.name), issuer, account.subject, (DEFAULT_AUDIENCE,)
        )
        for issuer in dict.fromkeys(issuers)
    ]


def validate(
    wishes: Sequence[WorkloadIdentity],
    issuers: Sequence[str],
    clusters: Collection[Any] = (),
    *,
    present: bool,
    predicting: bool = False,
) -> None:
    """
    :param clusters: those that identities with Federation.BINDING are for.
    :param present: whether the wishes are to be made; to take them away needs no issuer.
    :param predicting: accept an issuer that is not known yet (check mode).
    :raises ConfigurationError: for the first thing that cannot be; nothing has been asked of Azure yet.
    """
    owners: dict[ServiceAccount, str] = {}
    _validate_names(wishes)
    for wish in wishes:
        for grant in wish.role_grants:
            grant.validate()
        for account in wish.service_accounts:
            _claim(owners, account, wish.identity.name)
    for issuer in issuers:
        if not (predicting and issuer == UNKNOWN):
            validate_issuer(issuer)
    _validate_federation(wishes, clusters)
    if (
        present
        and not issuers
        and any(each.federation is Federation.CREDENTIAL for each in wishes if each.service_accounts)
    ):
        raise ConfigurationError(
            "issuers is empty, but service accounts are listed; give the OIDC issuer URL of each cluster."
        )
    if any(wish.shard for wish in wishes) and len(set(issuers)) > CREDENTIALS_PER_IDENTITY:
        raise ConfigurationError(
            f"issuers has {len(set(issuers))} entries; a service account needs a credential for each of them, and an identity "
            f"holds {CREDENTIALS_PER_IDENTITY}."
        )


def _validate_federation(wishes: Sequence[WorkloadIdentity], clusters: Collection[Any]) -> None:
    for wish in wishes:
        if wish.federation is not Federation.BINDING:
            continue
        if wish.shard:
            raise ConfigurationError(
                f"identities: '{wish.identity.name}' has federation: binding and shard: true. An identity binding serves any number of "
                "service accounts; leave shard out."
            )
        if not clusters:
            raise ConfigurationError(
                f"clusters is empty, but '{wish.identity.name}' has federation: binding; name each cluster that it is to be bound to."
            )


def _validate_names(wishes: Sequence[WorkloadIdentity]) -> None:
    names: set[str] = set()
    sharded = {wish.identity.name.lower(): wish.identity.name for wish in wishes if wish.shard}
    for wish in wishes:
        name = wish.identity.name
        (_shard(wish, 1) if wish.shard else wish).identity.validate()
        if name.lower() in names:
            raise ConfigurationError(
                f"identities: '{name}' is listed twice; put all its service accounts into one entry."
            )
        names.add(name.lower())
        entry = sharded.get(split_name(name.lower())[0])
        if entry and not wish.shard:
            raise ConfigurationError(
                f"identities: '{name}' is listed, but is also one of the identities that '{entry}' with shard: true stands for; "
                "give one of them another name."
            )


def _claim(owners: dict[ServiceAccount, str], account: ServiceAccount, owner: str) -> None:
    other = owners.setdefault(account, owner)
    if account.subject and other != owner:
        raise ConfigurationError(
            f"service account '{account.namespace}/{account.name}' is listed under '{other}' and under '{owner}'; "
            "its client id annotation can name only one identity."
        )


def concerned(wishes: Sequence[WorkloadIdentity]) -> Callable[[str], bool]:
    """Whether an identity of that name is one that the wishes name, or is named like one of their shards."""
    plain = {wish.identity.name.lower() for wish in wishes if not wish.shard}
    sharded = {wish.identity.name.lower() for wish in wishes if wish.shard}
    return lambda name: name.lower() in plain or split_name(name.lower())[0] in sharded


def spread(
    wishes: Sequence[WorkloadIdentity],
    issuers: Sequence[str],
    credentials: Mapping[str, Sequence[FederatedCredential]],
    *,
    present: bool,
    exclusive: bool = False,
) -> list[WorkloadIdentity]:
    """The wishes with one for each shard, in place of each entry that has them.

    :param credentials: of each of the identities C(concerned) that exists, by lower-case name.
    :param present: whether the wishes are to be made; otherwise only shards that exist are named.
    :raises ConfigurationError: when a shard's name would be too long.
    """
    numbered: dict[str, dict[int, Sequence[FederatedCredential]]] = defaultdict(dict)
    for name, found in credentials.items():
        entry, number = split_name(name)
        numbered[entry][number] = found
    spread_out: list[WorkloadIdentity] = []
    for wish in wishes:
        if wish.shard:
            trusts = {account: _credentials(account, issuers) for account in wish.service_accounts}
            existing = numbered[wish.identity.name.lower()]
            shards = place(trusts, existing, exclusive=exclusive) if present else holders(trusts, existing)
            spread_out += [_shard(wish, number, accounts) for number, accounts in shards.items()]
        else:
            spread_out.append(wish)
    for each in spread_out:
        each.identity.validate()
    return spread_out


def _shard(wish: WorkloadIdentity, number: int, accounts: Iterable[ServiceAccount] = ()) -> WorkloadIdentity:
    entry = wish.identity.name
    identity = replace(wish.identity, name=shard_name(entry, number))
    return replace(wish, identity=identity, service_accounts=tuple(accounts), shard=False, shard_of=entry)


def plan_present(wishes: Wishes, observed: Observed) -> list[list[Change]]:
    """One chain for each identity: the identity itself, then its credentials, then its role assignments."""
    return [_present_chain(wishes, wish, observed) for wish in wishes.identities]


def plan_absent(wishes: Wishes, observed: Observed, *, delete_identities: bool) -> list[list[Change]]:
    """One chain for each identity: what the wishes list is taken away; the identity itself only when asked.

    Shards are deleted in one chain for each entry, the last first, so that what a failure leaves is numbered without a gap.
    """
    chains: dict[str, list[Change]] = {}
    for wish in reversed(wishes.identities):
        one_by_one = (delete_identities and wish.shard_of) or wish.identity.name
        chains.setdefault(one_by_one, []).extend(_absent_chain(wishes, wish, observed, delete_identities))
    return [*reversed(chains.values())]


def report(wishes: Wishes, states: States) -> list[dict[str, Any]]:
    """What roles need of each identity, in the order of the wishes."""
    credentials: dict[str, list[State]] = defaultdict(list)
    for resource_id, state in states.items():
        parent_id, separator, _name = resource_id.partition("/federatedidentitycredentials/")
        if separator:
            credentials[parent_id].append(state)
    bindings = [state for resource_id, state in states.items() if is_binding(resource_id)]
    return [_reported(wishes, wish, states, credentials, bindings) for wish in wishes.identities]


def _present_chain(wishes: Wishes, wish: WorkloadIdentity, observed: Observed) -> list[Change]:
    name = wish.identity.name.lower()
    parent_id = wishes.identity_ids[name]
    found = observed.identities.get(name)
    own = user_assigned_identity.diff(parent_id, wish.identity, found, observed.default_location)
    credentials = plan_trusts(
        parent_id, observed.credentials.get(name, ()), wishes.credentials(wish), exclusive=wishes.exclusive
    )
    bindings = _bindings(parent_id, wish, found, observed)
    return [*([own] if own else []), *bindings, *credentials, *_grants(parent_id, wish, found, observed)]


def _bindings(parent_id: str, wish: WorkloadIdentity, found: State | None, observed: Observed) -> list[Change]:
    if wish.federation is not Federation.BINDING:
        return []
    changes = plan_bindings(parent_id, str(found["client_id"]) if found else UNKNOWN, observed.clusters)
    if changes:
        check_room_for_binding(parent_id, observed.credentials.get(wish.identity.name.lower(), ()))
    return changes


def _grants(parent_id: str, wish: WorkloadIdentity, found: State | None, observed: Observed) -> list[Change]:
    principal = str(found["principal_id"]) if found else UNKNOWN
    changes = []
    for grant in wish.role_grants:
        definition = observed.role_definition_ids[grant]
        if not observed.assigned.equal(grant.scope, definition, principal):
            state = role_assignment.predicted_state(grant, definition, parent_id)
            changes.append(Change.create(state["id"], state))
    return changes


def _absent_chain(wishes: Wishes, wish: WorkloadIdentity, observed: Observed, delete_identities: bool) -> list[Change]:
    name = wish.identity.name.lower()
    found = observed.identities.get(name)
    if found is None:
        return []
    changes = _revocations(wish, found, observed)
    if wish.federation is Federation.BINDING:
        changes += plan_release(wishes.identity_ids[name], observed.clusters)
    if delete_identities:  # takes its credentials with it
        return [*changes, Change.delete(wishes.identity_ids[name], found)]
    return [
        *changes,
        *plan_removal(wishes.identity_ids[name], observed.credentials.get(name, ()), wishes.credentials(wish)),
    ]


def _revocations(wish: WorkloadIdentity, found: State, observed: Observed) -> list[Change]:
    return [
        Change.delete(each.id, each.state(grant.role, found["id"]))
        for grant in wish.role_grants
        for each in observed.assigned.equal(
            grant.scope, observed.role_definition_ids[grant], str(found["principal_id"])
        )
    ]


def _reported(
    wishes: Wishes,
    wish: WorkloadIdentity,
    states: States,
    credentials: Mapping[str, Sequence[State]],
    bindings: Sequence[State],
) -> dict[str, Any]:
    parent_id = wishes.identity_ids[wish.identity.name.lower()]
    trusts = {(each.issuer, each.subject) for each in wishes.credentials(wish)}
    identity = states.get(parent_id) or {"id": parent_id, "name": wish.identity.name}
    return {
        **identity,
        "federation": str(wish.federation),
        "service_accounts": [{"namespace": each.namespace, "name": each.name} for each in wish.service_accounts],
        "federated_credentials": [
            each for each in credentials.get(parent_id.lower(), ()) if (each["issuer"], each["subject"]) in trusts
        ],
        "identity_bindings": [each for each in bindings if key(each["identity_id"]) == key(parent_id)],
    }
