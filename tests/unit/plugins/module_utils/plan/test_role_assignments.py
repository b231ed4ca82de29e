# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN, Action
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.plan.role_assignments import (
    PrincipalSpec,
    plan_absent,
    plan_present,
)
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.role_assignment import RoleAssignment

SCOPE = "/subscriptions/s/resourceGroups/g"
READER = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"
PRINCIPAL = "44444444-4444-4444-8444-444444444444"
WISH = RoleAssignment.wished(SCOPE, READER, PRINCIPAL, "Group")


def named(name: str) -> RoleAssignment:
    return RoleAssignment(
        f"{SCOPE}/providers/Microsoft.Authorization/roleAssignments/{name}", SCOPE, READER, PRINCIPAL, "Group"
    )


def test_a_missing_assignment_is_made_under_the_name_that_check_mode_shows():
    (change,) = plan_present([], WISH)

    assert change.action is Action.CREATE
    assert change.resource_id == change.after["id"]
    assert change.after["name"] == change.after["id"].rsplit("/", 1)[-1]
    assert (change.after["principal_id"], change.after["principal_type"]) == (PRINCIPAL, "Group")


def test_an_equal_assignment_under_another_name_needs_no_change():
    assert plan_present([named("made-by-az")], WISH) == []


def test_every_equal_assignment_is_removed():
    changes = plan_absent([named("a"), named("b")])

    assert [(change.action, change.before["name"]) for change in changes] == [
        (Action.DELETE, "a"),
        (Action.DELETE, "b"),
    ]


def test_an_unknown_principal_has_no_name_yet():
    (change,) = plan_present([], RoleAssignment.wished(SCOPE, READER, UNKNOWN, "ServicePrincipal"))

    assert change.after["name"] == UNKNOWN


@pytest.mark.parametrize(
    ("principal", "explanation"),
    [
        (PrincipalSpec(id="id-orders"), "principal_id 'id-orders' is not a GUID"),
        (PrincipalSpec(id=""), "principal_id '' is not a GUID"),
        (PrincipalSpec(id=UNKNOWN), "is not a GUID"),
        (PrincipalSpec(identity=""), "3 to 128"),
        (PrincipalSpec(identity="id-orders", type="Group"), "principal_type 'Group'"),
    ],
)
def test_impossible_principals_are_refused(principal, explanation):
    with pytest.raises(ConfigurationError, match=explanation):
        principal.validate()


def test_a_principal_that_is_known_after_apply_is_accepted_while_predicting():
    PrincipalSpec(id=UNKNOWN).validate(predicting=True)
