# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections import defaultdict

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN, Action, States
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.plan import Plan, predict
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.workload_identities import (
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
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.role_assignment import (
    RoleAssignment,
    RoleGrant,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.user_assigned_identity import IdentitySpec
from hypothesis import given
from hypothesis import strategies as st

ISSUER = "https://issuer.example/tenant/cluster/"
GROUP = "/subscriptions/s/resourceGroups/g"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv"
SECRETS_USER = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/4633458b-17de-408a-b874-0445c86b69e6"
GRANT = RoleGrant("Key Vault Secrets User", VAULT)


def identity_id(name: str) -> str:
    return f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}"


def wish(name="id-orders", accounts=(("shop", "orders"),), grants=()) -> WorkloadIdentity:
    return WorkloadIdentity(IdentitySpec(name), tuple(ServiceAccount(*each) for each in accounts), tuple(grants))


def wishes(*identities: WorkloadIdentity, issuers=(ISSUER,)) -> Wishes:
    return Wishes(
        identities, issuers, {each.identity.name.lower(): identity_id(each.identity.name) for each in identities}
    )


def identity_state(name: str) -> dict:
    return {
        "id": identity_id(name),
        "name": name,
        "resource_group": "g",
        "location": "westeurope",
        "tags": {},
        "isolation_scope": "None",
        "client_id": f"client of {name}",
        "principal_id": f"principal of {name}",
        "tenant_id": "t",
    }


def observed(identities=(), credentials=None, assignments=()) -> Observed:
    return Observed(
        "westeurope",
        {name.lower(): identity_state(name) for name in identities},
        credentials or {},
        assignments,
        {GRANT: SECRETS_USER},
    )


def described(chains):
    return [(change.action, change.resource_id.rsplit("/", 2)[-2]) for chain in chains for change in chain]


def test_an_empty_cloud_gets_identity_then_credential_then_role():
    chains = plan_present(wishes(wish(grants=[GRANT])), observed())

    assert described(chains) == [
        (Action.CREATE, "userAssignedIdentities"),
        (Action.CREATE, "federatedIdentityCredentials"),
        (Action.CREATE, "roleAssignments"),
    ]


def test_every_issuer_gets_a_credential_of_its_own():
    chains = plan_present(wishes(wish(), issuers=(ISSUER, ISSUER + "2/")), observed(["id-orders"]))

    assert [change.after["issuer"] for change in chains[0]] == [ISSUER, ISSUER + "2/"]
    assert len({change.after["name"] for change in chains[0]}) == 2


def test_a_role_that_the_identity_has_under_any_name_is_not_assigned_again():
    assigned = RoleAssignment(
        f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x",
        VAULT.upper(),
        SECRETS_USER,
        "PRINCIPAL of id-orders",
    )
    wanted = wishes(wish(accounts=(), grants=[GRANT]))

    assert plan_present(wanted, observed(["id-orders"], assignments=[assigned])) == [[]]


def test_another_identitys_role_does_not_count():
    assigned = RoleAssignment(
        f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x", VAULT, SECRETS_USER, "somebody"
    )
    wanted = wishes(wish(accounts=(), grants=[GRANT]))

    assert len(plan_present(wanted, observed(["id-orders"], assignments=[assigned]))[0]) == 1


def test_absent_takes_roles_and_credentials_and_leaves_the_identity():
    trusts = {
        "id-orders": [
            FederatedCredential("a", ISSUER, "system:serviceaccount:shop:orders"),
            FederatedCredential("b", ISSUER, "other"),
        ]
    }
    assigned = RoleAssignment(
        f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x", VAULT, SECRETS_USER, "principal of id-orders"
    )

    chains = plan_absent(
        wishes(wish(grants=[GRANT])), observed(["id-orders"], trusts, [assigned]), delete_identities=False
    )

    assert described(chains) == [(Action.DELETE, "roleAssignments"), (Action.DELETE, "federatedIdentityCredentials")]


def test_identities_are_deleted_only_when_asked_and_their_roles_before_them():
    assigned = RoleAssignment(
        f"{VAULT}/providers/Microsoft.Authorization/roleAssignments/x", VAULT, SECRETS_USER, "principal of id-orders"
    )

    chains = plan_absent(
        wishes(wish(grants=[GRANT])), observed(["id-orders"], assignments=[assigned]), delete_identities=True
    )

    assert described(chains) == [(Action.DELETE, "roleAssignments"), (Action.DELETE, "userAssignedIdentities")]


def test_absent_of_what_is_not_there_is_nothing():
    assert plan_absent(wishes(wish(grants=[GRANT])), observed(), delete_identities=True) == [[]]


def test_the_report_keeps_the_order_and_shows_what_is_known_only_after_apply():
    wanted = wishes(wish("id-b", [("shop", "b")]), wish("id-a", [("shop", "a")]))
    chains = plan_present(wanted, observed(["id-a"]))
    outcome = predict(Plan(observed(["id-a"]).states(wanted.identity_ids), chains, None, dict))

    reported = report(wanted, outcome.states)

    assert [(each["name"], each["client_id"]) for each in reported] == [("id-b", UNKNOWN), ("id-a", "client of id-a")]
    assert [each["federated_credentials"][0]["subject"] for each in reported] == [
        "system:serviceaccount:shop:b",
        "system:serviceaccount:shop:a",
    ]


@pytest.mark.parametrize(
    ("identities", "issuers", "explanation"),
    [
        ([wish("id-orders"), wish("ID-Orders", [("shop", "b")])], [ISSUER], "listed twice"),
        ([wish("id-a"), wish("id-b")], [ISSUER], "listed under 'id-a' and under 'id-b'"),
        ([wish("x")], [ISSUER], "3 to 128"),
        ([wish(accounts=[("Shop", "orders")])], [ISSUER], "namespace 'Shop'"),
        ([wish()], [], "issuers is empty"),
        ([wish()], [UNKNOWN], "not an https URL"),
        ([wish(grants=[RoleGrant("Reader", "rg-shop")])], [ISSUER], "not an ARM id"),
        ([wish(grants=[RoleGrant(" ", VAULT)])], [ISSUER], "role is empty"),
    ],
)
def test_contradictions_in_the_input_are_refused(identities, issuers, explanation):
    with pytest.raises(ConfigurationError, match=explanation):
        validate(identities, issuers, present=True)


def test_an_issuer_that_is_known_after_apply_is_accepted_while_predicting():
    validate([wish()], [UNKNOWN], present=True, predicting=True)


def test_a_teardown_needs_no_issuer():
    validate([wish()], [], present=False)


NAMES = st.sampled_from([f"id-{letter}" for letter in "abcde"])
SUBJECTS = st.sampled_from([f"system:serviceaccount:shop:app-{number}" for number in range(6)])
TRUSTS = st.lists(SUBJECTS, unique=True, max_size=6)
ACCOUNTS = st.lists(st.integers(0, 5), unique=True, max_size=4)


@given(present=st.dictionaries(NAMES, TRUSTS), wanted=st.dictionaries(NAMES, ACCOUNTS, min_size=1))
def test_applying_the_plan_reaches_the_wish_and_touches_nothing_else(present, wanted):
    there = {
        name: [FederatedCredential(f"fic-{i}", ISSUER, subject) for i, subject in enumerate(trusts)]
        for name, trusts in present.items()
    }
    # One ServiceAccount belongs to one identity: the namespace tells the identities apart.
    goal = wishes(
        *(
            wish(name, [("shop" if name == "id-a" else f"shop-{name}", f"app-{number}") for number in numbers])
            for name, numbers in wanted.items()
        )
    )
    before = observed(list(present), there)

    after = _apply(before, goal, plan_present(goal, before))

    assert all(not chain for chain in plan_present(goal, after)), "a second plan must be empty"
    for each in goal.identities:
        trusted = {(one.issuer, one.subject) for one in after.credentials.get(each.identity.name, ())}
        assert {(one.issuer, one.subject) for one in goal.credentials(each)} <= trusted
    for name, credentials in there.items():
        kept = after.credentials.get(name, [])
        assert all(each in kept for each in credentials), "what others made must stay"


def _apply(before: Observed, goal: Wishes, chains) -> Observed:
    states = before.states({**goal.identity_ids, **{name: identity_id(name) for name in before.identities}})
    outcome = predict(Plan(States(states), chains, None, dict))
    identities, credentials = {}, defaultdict(list)
    for resource_id, state in outcome.states.items():
        owner, separator, _name = resource_id.partition("/federatedidentitycredentials/")
        if separator:
            credentials[owner.rsplit("/", 1)[-1]].append(
                FederatedCredential(state["name"], state["issuer"], state["subject"], tuple(state["audiences"]))
            )
        else:
            identities[state["name"]] = state
    return Observed("westeurope", identities, dict(credentials), (), {})
