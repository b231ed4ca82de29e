# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities that are bound to clusters, among identities with credentials."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN, Action, Change, States
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.identity_bindings import ClusterBindings
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.plan import Plan, execute
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.workload_identities import (
    Federation,
    Observed,
    ServiceAccount,
    Wishes,
    WorkloadIdentity,
    plan_absent,
    plan_present,
    report,
    validate,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.federated_credential import (
    FederatedCredential,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.user_assigned_identity import IdentitySpec
from hypothesis import given
from hypothesis import strategies as st

PROVIDERS = "/subscriptions/s/resourceGroups/g/providers"
IDENTITIES = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities"
ISSUER = "https://issuer.example/tenant/cluster/"
CLUSTERS = ("aks-1", "aks-2", "aks-3")
NAMES = ("id-orders", "id-billing", "n" * 100)
ACCOUNT = ServiceAccount("shop", "orders")
OURS = FederatedCredential("by-hand", ISSUER, ACCOUNT.subject)


def cluster_id(cluster: str) -> str:
    return f"{PROVIDERS}/Microsoft.ContainerService/managedClusters/{cluster}"


def binding(cluster: str, name: str, identity: str, state: str = "Succeeded") -> dict:
    return {
        "id": f"{cluster_id(cluster)}/identityBindings/{name}",
        "name": name,
        "identity_id": f"{IDENTITIES}/{identity}",
        "client_id": f"client of {identity}",
        "oidc_issuer_url": "https://issuer.example/binding",
        "provisioning_state": state,
    }


def identity_state(name: str) -> dict:
    return {
        "id": f"{IDENTITIES}/{name}",
        "name": name,
        "resource_group": "g",
        "location": "westeurope",
        "tags": {},
        "isolation_scope": "None",
        "client_id": f"client of {name}",
        "principal_id": f"principal of {name}",
        "tenant_id": "t",
    }


@dataclass
class Cloud:
    """Identities with their credentials, and the bindings of clusters, with the rules of AKS."""

    identities: dict[str, list[FederatedCredential]] = field(default_factory=dict)
    bindings: dict[str, list[dict]] = field(default_factory=lambda: {each: [] for each in CLUSTERS})

    def observed(self, names: Iterable[str]) -> Observed:
        there = {name: self.identities[name] for name in names if name in self.identities}
        clusters = [
            ClusterBindings({"id": cluster_id(name), "name": name}, tuple(found))
            for name, found in self.bindings.items()
        ]
        return Observed("westeurope", {name: identity_state(name) for name in there}, there, clusters=clusters)

    def apply(self, change: Change, _states: States):
        if "/identityBindings/" in change.resource_id:
            return self._binding(change)
        name = change.resource_id.removeprefix(f"{IDENTITIES}/").split("/")[0].lower()
        if "/federatedIdentityCredentials/" in change.resource_id:
            assert change.action is Action.DELETE, "nobody asked for a credential"
            self.identities[name] = [each for each in self.identities[name] if each.name != change.before["name"]]
            return None
        if change.action is Action.DELETE:
            assert not [each for each in self._all_bindings() if each["identity_id"].endswith(f"/{name}")], (
                "bound still"
            )
            del self.identities[name]
            return None
        self.identities[name] = []
        return identity_state(name)

    def _binding(self, change: Change):
        cluster, name = change.resource_id.split("/")[-3], change.resource_id.split("/")[-1]
        found = self.bindings[cluster]
        found[:] = [each for each in found if each["name"].lower() != name.lower()]
        if change.after is None:
            return None
        identity = change.after["identity_id"].rsplit("/", 1)[-1]
        assert len(name) <= 63
        assert identity.lower() in self.identities, "the identity comes first"
        assert all(each["identity_id"] != change.after["identity_id"] for each in found), "bound already"
        found.append(binding(cluster, name, identity))
        return found[-1]

    def _all_bindings(self) -> list[dict]:
        return [each for found in self.bindings.values() for each in found]


def wish(name: str = NAMES[0], federation: Federation = Federation.BINDING) -> WorkloadIdentity:
    return WorkloadIdentity(IdentitySpec(name), (ACCOUNT,), federation=federation)


def plan(cloud: Cloud, *wanted: WorkloadIdentity, exclusive=False, present=True, delete_identities=False) -> Plan:
    ids = {each.identity.name.lower(): f"{IDENTITIES}/{each.identity.name}" for each in wanted}
    wishes, observed = Wishes(wanted, (ISSUER,), ids, exclusive), cloud.observed(ids)
    chains = (
        plan_present(wishes, observed)
        if present
        else plan_absent(wishes, observed, delete_identities=delete_identities)
    )
    return Plan(observed.states(ids), chains, cloud.apply, lambda states: {"identities": report(wishes, states)})


@st.composite
def clouds(draw) -> Cloud:
    identities = {name: draw(st.sampled_from([[], [OURS]])) for name in draw(st.sets(st.sampled_from(NAMES)))}
    bindings: dict[str, list[dict]] = {}
    for cluster in CLUSTERS:
        bound = draw(st.lists(st.sampled_from([*NAMES, "id-other"]), unique=True))
        # Names given by hand, also such as another identity's binding would be given here.
        names = draw(st.permutations([*NAMES[:2], "by-hand", "id-other"]))
        state = st.sampled_from(["Succeeded", "Failed", "Canceled"])
        bindings[cluster] = [
            binding(cluster, name, identity, draw(state)) for name, identity in zip(names, bound, strict=False)
        ]
    for each in {identity["identity_id"].rsplit("/", 1)[-1] for found in bindings.values() for identity in found}:
        identities.setdefault(each, [])
    return Cloud(identities, bindings)


@given(cloud=clouds(), names=st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
def test_applying_the_plan_binds_each_identity_once_to_each_cluster_and_a_second_plan_is_empty(cloud, names):
    wanted = [wish(name) for name in names]
    strangers = {
        cluster: [each for each in found if each["identity_id"].rsplit("/", 1)[-1] not in names]
        for cluster, found in cloud.bindings.items()
    }

    outcome = execute(plan(cloud, *wanted))

    assert outcome.failures == []
    for cluster, found in cloud.bindings.items():
        bound = {each["identity_id"].rsplit("/", 1)[-1]: each["provisioning_state"] for each in found}
        assert dict.fromkeys(names, "Succeeded").items() <= bound.items()
        assert all(each in found for each in strangers[cluster])
    second = plan(cloud, *wanted)
    assert second.changes == []
    reported = second.report(second.observed)["identities"]
    assert [len(each["identity_bindings"]) for each in reported] == [len(CLUSTERS)] * len(names)


@given(cloud=clouds(), names=st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
def test_absent_releases_exactly_the_listed_identities(cloud, names):
    strangers = [each for each in cloud._all_bindings() if each["identity_id"].rsplit("/", 1)[-1] not in names]

    assert execute(plan(cloud, *map(wish, names), present=False, delete_identities=True)).failures == []

    assert cloud._all_bindings() == strangers
    assert plan(cloud, *map(wish, names), present=False).changes == []


def test_the_client_id_of_a_new_identity_is_not_known_before():
    changes = plan(Cloud(), wish()).changes

    assert [change.after["client_id"] for change in changes] == [UNKNOWN] * (1 + len(CLUSTERS))


def test_that_of_an_identity_that_is_there_is():
    changes = plan(Cloud({NAMES[0]: []}), wish()).changes

    assert [change.after["client_id"] for change in changes] == [f"client of {NAMES[0]}"] * len(CLUSTERS)


def test_credentials_of_the_same_service_accounts_stay_unless_they_alone_shall_be_there():
    bound = {each: [binding(each, "x", NAMES[0])] for each in CLUSTERS}

    assert plan(Cloud({NAMES[0]: [OURS]}, bound), wish()).changes == []
    (change,) = plan(Cloud({NAMES[0]: [OURS]}, bound), wish(), exclusive=True).changes
    assert (change.action, change.before["name"]) == (Action.DELETE, OURS.name)


def test_a_binding_that_is_on_its_way_out_is_made_anew():
    leaving = {each: [binding(each, NAMES[0], NAMES[0], "Deleting")] for each in CLUSTERS}

    changes = plan(Cloud({NAMES[0]: []}, leaving), wish()).changes

    assert [change.action for change in changes] == [Action.CREATE] * len(CLUSTERS)


def test_an_identity_without_room_for_the_credential_of_aks_is_refused():
    full = [replace(OURS, name=f"c-{number}", subject=f"s-{number}") for number in range(20)]

    with pytest.raises(ConfigurationError, match="would have 21 federated credentials"):
        plan(Cloud({NAMES[0]: full}), wish())


@pytest.mark.parametrize(
    ("wanted", "clusters", "explanation"),
    [
        (wish(), [], "clusters is empty, but 'id-orders'"),
        (replace(wish(), shard=True), ["aks-1"], "leave shard out"),
    ],
)
def test_what_cannot_be_bound_is_refused(wanted, clusters, explanation):
    with pytest.raises(ConfigurationError, match=explanation):
        validate([wanted], [], clusters, present=True)


def test_a_bound_identity_needs_no_issuer():
    validate([wish()], [], ["aks-1"], present=True)
