# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever is there and whatever is wished for: plans carried out on a small model of the service lead to the wish."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN, Action, Change, States
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import AzureError, ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.federated_credentials import credential_name
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.plan import Plan, execute, predict
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.workload_identities import (
    Observed,
    ServiceAccount,
    Wishes,
    WorkloadIdentity,
    concerned,
    plan_absent,
    plan_present,
    report,
    spread,
    validate,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.federated_credential import (
    FederatedCredential,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.user_assigned_identity import IdentitySpec
from hypothesis import assume, given
from hypothesis import strategies as st

GROUP = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
ISSUERS = ("https://issuer.example/tenant/one/", "https://issuer.example/tenant/two/")
MOST = 20
AKS = FederatedCredential(
    "aks-identity-binding", "https://issuer.example/binding", "aks", ("api://AKSIdentityBinding",)
)


def account(number: int) -> ServiceAccount:
    return ServiceAccount(f"team-{number % 3}", f"app-{number:02}")


# The model


class Interrupted(AzureError):
    def __init__(self) -> None:
        super().__init__("no more", code="Interrupted")


@dataclass
class Cloud:
    """Identities and their credentials by lower-case name, with the service's rules."""

    identities: dict[str, dict[str, FederatedCredential]] = field(default_factory=dict)
    writes_left: float = math.inf

    def observed(self, names: Sequence[str]) -> Observed:
        there = [name for name in names if name in self.identities]
        return Observed(
            "westeurope",
            {name: identity_state(name) for name in there},
            {name: list(self.identities[name].values()) for name in there},
        )

    def apply(self, change: Change, _states: States):
        if self.writes_left <= 0:
            raise Interrupted
        self.writes_left -= 1
        identity, _separator, credential = change.resource_id.removeprefix(f"{GROUP}/").lower().partition("/")
        if not credential:
            return self._identity(identity, change)
        return self._credential(self.identities[identity], credential.rpartition("/")[2], change)

    def _identity(self, name: str, change: Change):
        if change.action is Action.DELETE:
            del self.identities[name]
            return None
        assert name not in self.identities
        self.identities[name] = {}
        return identity_state(name)

    def _credential(self, credentials: dict[str, FederatedCredential], name: str, change: Change):
        assert (name in credentials) == (change.action is not Action.CREATE), change
        credentials.pop(name, None)
        if change.after is None:
            return None
        after = FederatedCredential(
            *(change.after[key] for key in ("name", "issuer", "subject")), tuple(change.after["audiences"])
        )
        assert after.trust not in {each.trust for each in credentials.values()}, "issuer and subject exist already"
        assert len(credentials) < MOST, "one credential too many"
        credentials[name] = after
        return change.after


def identity_state(name: str) -> dict:
    return {
        "id": f"{GROUP}/{name}",
        "name": name,
        "resource_group": "g",
        "location": "westeurope",
        "tags": {},
        "isolation_scope": "None",
        "client_id": f"client of {name}",
        "principal_id": f"principal of {name}",
        "tenant_id": "t",
    }


@dataclass(frozen=True)
class Wanted:
    """What a user asks for."""

    entries: tuple[WorkloadIdentity, ...]
    issuers: tuple[str, ...]
    exclusive: bool = False

    def plan(self, cloud: Cloud, *, present: bool = True, delete_identities: bool = False) -> Plan:
        credentials = {
            name: list(cloud.identities[name].values()) for name in filter(concerned(self.entries), cloud.identities)
        }
        shards = spread(self.entries, self.issuers, credentials, present=present, exclusive=self.exclusive)
        ids = {each.identity.name.lower(): f"{GROUP}/{each.identity.name}" for each in shards}
        wishes = Wishes(shards, self.issuers, ids, self.exclusive)
        observed = cloud.observed(list(ids))
        chains = (
            plan_present(wishes, observed)
            if present
            else plan_absent(wishes, observed, delete_identities=delete_identities)
        )
        return Plan(observed.states(ids), chains, cloud.apply, lambda states: {"identities": report(wishes, states)})

    @property
    def accounts(self) -> list[ServiceAccount]:
        return [each for entry in self.entries for each in entry.service_accounts]


def homes(plan: Plan, states: States) -> dict[ServiceAccount, str]:
    """Which identity the report names for each ServiceAccount; one for each."""
    pairs = [
        (ServiceAccount(each["namespace"], each["name"]), identity["name"])
        for identity in plan.report(states)["identities"]
        for each in identity["service_accounts"]
    ]
    assert len({who for who, _identity in pairs}) == len(pairs)
    return dict(pairs)


def carry_out(wanted: Wanted, cloud: Cloud, shuffler: random.Random | None = None) -> dict[ServiceAccount, str]:
    """Apply the plan, its chains in any order."""
    plan = wanted.plan(cloud)
    chains = list(plan.chains)
    if shuffler:
        shuffler.shuffle(chains)
    outcome = execute(replace(plan, chains=chains))
    assert outcome.failures == []
    return homes(plan, outcome.states)


def trusts(cloud: Cloud, identity: str) -> set[tuple[str, str]]:
    return {each.trust for each in cloud.identities.get(identity, {}).values()}


def snapshot(cloud: Cloud) -> dict[str, dict[str, FederatedCredential]]:
    return {name: dict(credentials) for name, credentials in cloud.identities.items()}


# What is there, and what is wished for

PLAIN, SHARDED = "id-plain", "id-many"
SHARDS = [f"{SHARDED}-{number}" for number in range(1, 4)]
# Not listed: the entry's own name, one like a shard's after a gap, one like a shard's of another entry.
STRANGERS = [SHARDED, f"{SHARDED}-2024", f"{PLAIN}-1", "id-other"]

NUMBERS = st.integers(0, 49)
TRUSTS = st.tuples(st.sampled_from([*ISSUERS, "https://issuer.example/tenant/gone/"]), NUMBERS)


@st.composite
def credentials_of_an_identity(draw) -> dict[str, FederatedCredential]:
    """Names generated here for the same trust or, after drift, for another; names given by hand; and others' credentials."""
    found = {}
    held = draw(st.lists(st.tuples(TRUSTS, st.none() | TRUSTS), max_size=8, unique_by=lambda each: each[0]))
    for index, ((issuer, number), named_after) in enumerate(held):
        who = account(named_after[1] if named_after else number)
        generated = credential_name(named_after[0] if named_after else issuer, who.namespace, who.name)
        name = draw(st.sampled_from([generated, f"by-hand-{index}"]))
        if name.lower() not in found:
            found[name.lower()] = FederatedCredential(name, issuer, account(number).subject)
    if draw(st.booleans()):
        found[AKS.name] = AKS
    for index in range(draw(st.sampled_from([0, 1, MOST - len(found)]))):
        found[f"other-{index}"] = FederatedCredential(f"other-{index}", ISSUERS[0], f"repo:example/{index}")
    return found


@st.composite
def clouds(draw) -> Cloud:
    names = draw(st.sets(st.sampled_from([PLAIN, *SHARDS, *STRANGERS])))
    return Cloud({name: draw(credentials_of_an_identity()) for name in sorted(names)})


@st.composite
def wants(draw, exclusive=st.booleans()) -> Wanted:  # noqa: B008 - strategies are values
    numbers = draw(st.lists(NUMBERS, unique=True, max_size=50))
    plain = draw(st.integers(0, min(12, len(numbers))))
    issuers = draw(st.sampled_from([ISSUERS[:1], ISSUERS]))
    return Wanted(entries(numbers[:plain], numbers[plain:]), issuers, draw(exclusive))


def entries(plain: Sequence[int], sharded: Sequence[int]) -> tuple[WorkloadIdentity, ...]:
    return (
        WorkloadIdentity(IdentitySpec(PLAIN), tuple(map(account, plain))),
        WorkloadIdentity(IdentitySpec(SHARDED), tuple(map(account, sharded)), shard=True),
    )


def needed(wanted: Wanted, entry: WorkloadIdentity) -> set[tuple[str, str]]:
    return {(issuer, each.subject) for each in entry.service_accounts for issuer in wanted.issuers}


def plan_or_reject(wanted: Wanted, cloud: Cloud) -> Plan:
    """The plan; where it is refused, the identity without shards must indeed be too full."""
    try:
        return wanted.plan(cloud)
    except ConfigurationError:
        mine = needed(wanted, wanted.entries[0])
        there = trusts(cloud, PLAIN)
        assert len(mine | (there & {AKS.trust} if wanted.exclusive else there)) > MOST
        assume(False)
        raise


# Present


@given(wanted=wants(), cloud=clouds(), shuffler=st.randoms(use_true_random=False))
def test_applying_the_plan_reaches_the_wish_and_a_second_plan_is_empty(wanted, cloud, shuffler):
    plan_or_reject(wanted, cloud)

    home = carry_out(wanted, cloud, shuffler)

    assert set(home) == set(wanted.accounts)
    for each, identity in home.items():
        assert {(issuer, each.subject) for issuer in wanted.issuers} <= trusts(cloud, identity)
    second = wanted.plan(cloud)
    assert second.changes == []
    assert homes(second, second.observed) == home


@given(wanted=wants(), cloud=clouds())
def test_check_mode_says_where_each_service_account_will_be(wanted, cloud):
    plan = plan_or_reject(wanted, cloud)

    assert homes(plan, predict(plan).states) == carry_out(wanted, cloud)


@given(wanted=wants(), cloud=clouds())
def test_nothing_outside_the_listed_identities_is_touched(wanted, cloud):
    plan = plan_or_reject(wanted, cloud)
    before = snapshot(cloud)
    wished = {subject for entry in wanted.entries for _issuer, subject in needed(wanted, entry)}

    execute(plan)

    strangers = {
        name
        for name in STRANGERS
        # An identity that is named like a shard and trusts one of the ServiceAccounts is one.
        if name != f"{SHARDED}-2024" or not any(each.subject in wished for each in before.get(name, {}).values())
    }
    assert all(cloud.identities.get(name) == before.get(name) for name in strangers)


@given(wanted=wants(exclusive=st.just(False)), cloud=clouds())
def test_without_exclusive_nothing_is_deleted(wanted, cloud):
    plan = plan_or_reject(wanted, cloud)

    assert Action.DELETE not in {change.action for change in plan.changes}


@given(wanted=wants(exclusive=st.just(False)), cloud=clouds())
def test_without_exclusive_every_credential_that_serves_somebody_stays_as_it_is(wanted, cloud):
    plan = plan_or_reject(wanted, cloud)
    generated = {
        credential_name(issuer, each.namespace, each.name).lower()
        for each in wanted.accounts
        for issuer in wanted.issuers
    }

    rewritten = {change.before["name"].lower() for change in plan.changes if change.action is Action.UPDATE}

    assert rewritten <= generated, "only what was made here and has drifted is corrected"


@given(wanted=wants(exclusive=st.just(True)), cloud=clouds())
def test_with_exclusive_the_listed_identities_trust_nobody_else_but_aks(wanted, cloud):
    plan_or_reject(wanted, cloud)
    kept = {name for name in cloud.identities if AKS.trust in trusts(cloud, name)}

    home = carry_out(wanted, cloud)

    for identity in wanted.plan(cloud).report(States())["identities"]:
        name = identity["id"].rpartition("/")[2]
        mine = [each for each, where in home.items() if where == name]
        wished = {(issuer, each.subject) for each in mine for issuer in wanted.issuers}
        assert trusts(cloud, name) == wished | ({AKS.trust} if name in kept else set())


@given(wanted=wants(), cloud=clouds())
def test_the_credentials_of_an_identity_are_written_in_one_chain(wanted, cloud):
    plan = plan_or_reject(wanted, cloud)

    owners = [{change.resource_id.removeprefix(f"{GROUP}/").split("/")[0] for change in chain} for chain in plan.chains]

    assert all(len(each) <= 1 for each in owners)
    assert len(set().union(*owners)) == sum(map(len, owners))


@given(wanted=wants(exclusive=st.just(True)), cloud=clouds())
def test_deletions_are_last_unless_their_room_is_needed(wanted, cloud):
    plan = plan_or_reject(wanted, cloud)

    for chain in plan.chains:
        deleted = [change.action is Action.DELETE for change in chain]
        identity = chain[0].resource_id.removeprefix(f"{GROUP}/").split("/")[0] if chain else ""
        created = sum(change.action is Action.CREATE for change in chain)
        crowded = len(cloud.identities.get(identity, {})) + created > MOST
        assert deleted == sorted(deleted, reverse=crowded)


@given(wanted=wants(), cloud=clouds(), writes=st.integers(0, 60), shuffler=st.randoms(use_true_random=False))
def test_a_run_that_was_interrupted_is_completed_by_the_next(wanted, cloud, writes, shuffler):
    plan = plan_or_reject(wanted, cloud)
    chains = list(plan.chains)
    shuffler.shuffle(chains)
    cloud.writes_left = writes

    execute(replace(plan, chains=chains))
    cloud.writes_left = math.inf
    carry_out(wanted, cloud)

    assert wanted.plan(cloud).changes == []


# Shards


@given(wanted=wants(), cloud=clouds(), later=st.sets(NUMBERS), exclusive=st.booleans())
def test_adding_and_removing_moves_nobody_else(wanted, cloud, later, exclusive):
    plan_or_reject(wanted, cloud)
    home = carry_out(wanted, cloud)
    plain = wanted.entries[0]
    numbers = sorted(number for number in later if account(number) not in plain.service_accounts)
    changed = replace(wanted, entries=(plain, entries([], numbers)[1]), exclusive=exclusive)
    plan_or_reject(changed, cloud)

    after = carry_out(changed, cloud)

    assert {each: after[each] for each in home if each in after} == {
        each: where for each, where in home.items() if each in after
    }


@given(wanted=wants(), cloud=clouds(), shuffler=st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(wanted, cloud, shuffler):
    plan_or_reject(wanted, cloud)
    plain, sharded = wanted.entries
    accounts = list(sharded.service_accounts)
    shuffler.shuffle(accounts)
    mixed = replace(wanted, entries=(replace(sharded, service_accounts=tuple(accounts)), plain))

    one, other = Cloud(snapshot(cloud)), Cloud(snapshot(cloud))

    assert carry_out(wanted, one) == carry_out(mixed, other)
    assert one.identities == other.identities


@given(numbers=st.sets(st.integers(0, 99)), issuers=st.integers(1, 20), exclusive=st.booleans())
def test_an_empty_cloud_gets_no_more_shards_than_needed(numbers, issuers, exclusive):
    wanted = Wanted(
        entries([], sorted(numbers))[1:], tuple(f"{ISSUERS[0]}{number}/" for number in range(issuers)), exclusive
    )
    cloud = Cloud()

    carry_out(wanted, cloud)

    shards = max(1, math.ceil(len(numbers) / (MOST // issuers)))
    assert list(cloud.identities) == [f"{SHARDED}-{number}" for number in range(1, shards + 1)]


@given(wanted=wants(), cloud=clouds())
def test_an_issuer_that_is_not_known_yet_refuses_nothing_that_will_do(wanted, cloud):
    plan_or_reject(wanted, cloud)
    carry_out(wanted, cloud)
    unknown = replace(wanted, issuers=(UNKNOWN,))

    plan = unknown.plan(cloud)

    assert set(homes(plan, predict(plan).states)) == set(wanted.accounts)


@given(wanted=wants(), cloud=clouds())
def test_a_new_issuer_is_predicted_as_it_will_be(wanted, cloud):
    new = replace(wanted, issuers=("https://issuer.example/tenant/new/",))
    plan_or_reject(new, cloud)
    predicted = replace(wanted, issuers=(UNKNOWN,)).plan(cloud)

    assert homes(predicted, predict(predicted).states) == carry_out(new, cloud)


# Absent


@given(wanted=wants(), cloud=clouds())
def test_absent_takes_exactly_the_listed_trusts_away(wanted, cloud):
    plan_or_reject(wanted, cloud)
    carry_out(wanted, cloud)
    before = {name: trusts(cloud, name) for name in cloud.identities}

    assert execute(wanted.plan(cloud, present=False)).failures == []

    mine = {entry.identity.name: needed(wanted, entry) for entry in wanted.entries}
    assert trusts(cloud, PLAIN) == before[PLAIN] - mine[PLAIN]
    assert all(trusts(cloud, name) == before[name] - mine[SHARDED] for name in SHARDS if name in before)
    assert wanted.plan(cloud, present=False).changes == []


@given(wanted=wants(), writes=st.integers(0, 60))
def test_a_teardown_that_was_interrupted_leaves_nothing_after_the_next(wanted, writes):
    cloud = Cloud()
    plan_or_reject(wanted, cloud)
    carry_out(wanted, cloud)
    cloud.writes_left = writes

    execute(wanted.plan(cloud, present=False, delete_identities=True))
    cloud.writes_left = math.inf
    execute(replace(wanted, issuers=()).plan(cloud, present=False, delete_identities=True))

    assert cloud.identities == {}


# Refusals


@pytest.mark.parametrize(
    ("wishes", "issuers", "explanation"),
    [
        ([(SHARDED, True), (f"{SHARDED}-2", False)], ISSUERS, "is also one of the identities that 'id-many'"),
        ([(SHARDED, True), (SHARDED, False)], ISSUERS, "listed twice"),
        ([("n" * 127, True)], ISSUERS, "3 to 128"),
        ([(SHARDED, True)], [f"{ISSUERS[0]}{number}/" for number in range(21)], "issuers has 21 entries"),
    ],
)
def test_shards_that_cannot_be_are_refused(wishes, issuers, explanation):
    wanted = [WorkloadIdentity(IdentitySpec(name), shard=shard) for name, shard in wishes]

    with pytest.raises(ConfigurationError, match=explanation):
        validate(wanted, issuers, present=True)


def test_a_number_that_makes_a_shards_name_too_long_is_refused():
    many = WorkloadIdentity(IdentitySpec("n" * 126), tuple(map(account, range(181))), shard=True)
    validate([many], ISSUERS, present=True)

    with pytest.raises(ConfigurationError, match=f"'{'n' * 126}-10'"):
        spread([many], ISSUERS[:1], {}, present=True)


def test_too_many_for_one_identity_are_told_of_shards():
    with pytest.raises(ConfigurationError, match="shard: true"):
        Wanted(entries(range(21), [])[:1], ISSUERS[:1]).plan(Cloud())
