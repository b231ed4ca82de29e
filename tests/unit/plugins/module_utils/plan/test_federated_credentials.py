# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import Action
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.federated_credentials import (
    credential_name,
    plan_named,
    plan_removal,
    plan_trusts,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.federated_credential import (
    FederatedCredential,
)

PARENT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-orders"
ISSUER = "https://issuer.example/tenant/cluster/"


def credential(
    name="orders", issuer=ISSUER, subject="system:serviceaccount:shop:orders", audiences=("api://AzureADTokenExchange",)
):
    return FederatedCredential(name, issuer, subject, audiences)


def full_identity() -> list[FederatedCredential]:
    return [credential(f"fic-{number:02}", subject=f"system:serviceaccount:shop:app-{number}") for number in range(20)]


def test_an_equal_credential_needs_no_change():
    assert plan_named(PARENT, [credential()], credential()) is None


@pytest.mark.parametrize(
    "drifted",
    [
        credential(issuer=ISSUER.rstrip("/")),
        credential(subject="system:serviceaccount:shop:Orders"),
        credential(audiences=("api://azureadtokenexchange",)),
    ],
    ids=["issuer without its trailing slash", "subject in other case", "audience in other case"],
)
def test_drift_is_corrected_under_the_same_name(drifted):
    change = plan_named(PARENT, [drifted], credential())

    assert change.action is Action.UPDATE
    assert change.after == credential().state(PARENT)


def test_second_federated_credential_with_same_subject_is_refused_before_any_write():
    with pytest.raises(ConfigurationError, match="'other' of this identity already has issuer"):
        plan_named(PARENT, [credential("other")], credential("orders"))


def test_the_twenty_first_credential_is_refused_and_the_identity_named():
    with pytest.raises(ConfigurationError, match="Identity 'id-orders' would have 21 federated credentials"):
        plan_named(PARENT, full_identity(), credential())


def test_a_full_identity_can_still_be_corrected():
    wish = credential("fic-07", subject="system:serviceaccount:shop:renamed")

    assert plan_named(PARENT, full_identity(), wish).action is Action.UPDATE


def test_a_trust_made_under_another_name_is_accepted_as_it_is():
    made_by_az = credential("made-by-az")

    assert plan_trusts(PARENT, [made_by_az], [credential("generated")]) == []


def test_a_trust_with_a_wrong_audience_is_corrected_under_its_own_name():
    (change,) = plan_trusts(PARENT, [credential("made-by-az", audiences=("wrong",))], [credential("generated")])

    assert change.resource_id.endswith("/federatedIdentityCredentials/made-by-az")
    assert change.after["audiences"] == ["api://AzureADTokenExchange"]


def test_a_generated_credential_whose_subject_was_tampered_with_is_repaired_in_place():
    (change,) = plan_trusts(
        PARENT, [credential("generated", subject="system:serviceaccount:shop:wrong")], [credential("generated")]
    )

    assert change.action is Action.UPDATE
    assert change.after["subject"] == "system:serviceaccount:shop:orders"


def test_bulk_refuses_before_the_first_write_when_an_identity_would_overflow():
    wishes = [credential("new-1", subject="system:serviceaccount:shop:new-1")]

    with pytest.raises(ConfigurationError, match="would have 21"):
        plan_trusts(PARENT, full_identity(), wishes)


def test_removal_takes_the_listed_trust_and_leaves_the_others():
    other = credential("other", subject="system:serviceaccount:shop:other")

    (change,) = plan_removal(PARENT, [credential("made-by-az"), other], [credential("generated")])

    assert change.action is Action.DELETE
    assert change.resource_id.endswith("/made-by-az")


def test_generated_names_are_stable_valid_and_distinct():
    names = {
        credential_name(ISSUER, "a-b", "c"),
        credential_name(ISSUER, "a", "b-c"),
        credential_name(ISSUER + "2/", "a", "b-c"),
        credential_name(ISSUER, "n" * 63, "s" * 253),
        credential_name(ISSUER, "shop", "orders.v1"),
    }

    assert len(names) == 5
    assert all(re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{2,119}", name) for name in names)
    assert credential_name(ISSUER, "shop", "orders") == credential_name(ISSUER, "shop", "orders")
