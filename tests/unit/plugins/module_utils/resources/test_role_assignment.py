# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils import waiting
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import Change
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import AzureError, ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.role_assignment import (
    AssignmentIndex,
    RoleAssignment,
    RoleGrant,
    assignment_name,
    write,
)
from azure.core.exceptions import HttpResponseError

SCOPE = "/subscriptions/s/resourceGroups/g"
GUID = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
BARE = f"/providers/Microsoft.Authorization/roleDefinitions/{GUID}"
READER = f"/subscriptions/s{BARE}"
PRINCIPAL = "abcdabcd-4444-4444-8444-444444444444"


class Assignments:
    """The SDK's operations: each C(create) meets the next of the answers, None being success."""

    def __init__(self, *answers: str | None, there: tuple[RoleAssignment, ...] = ()) -> None:
        self.bodies: list = []
        self.deleted: list[tuple[str, str]] = []
        self._answers = list(answers)
        self._there = there

    def create(self, scope, name, body):
        self.bodies.append(body)
        code = self._answers.pop(0)
        if code:
            error = HttpResponseError(message=code)
            error.error = SimpleNamespace(code=code, message=code)
            raise error
        return SimpleNamespace(
            id=f"/{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            scope=f"/{scope}",
            role_definition_id=body.role_definition_id,
            principal_id=body.principal_id,
            principal_type=body.principal_type,
        )

    def list_for_scope(self, scope, filter):
        return iter(self._there)

    def delete(self, scope, name):
        self.deleted.append((scope, name))


def session(operations: Assignments) -> SimpleNamespace:
    return SimpleNamespace(authorization=SimpleNamespace(role_assignments=operations))


def creation(principal_type: str = "ServicePrincipal") -> Change:
    wish = RoleAssignment.wished(SCOPE, READER, PRINCIPAL, principal_type)
    return Change.create(wish.id, wish.facts())


def assigned(name: str = "by-hand", **changed: str) -> RoleAssignment:
    values = {"scope": SCOPE, "role_definition_id": READER, "principal_id": PRINCIPAL, **changed}
    return RoleAssignment(id=f"{values['scope']}/providers/Microsoft.Authorization/roleAssignments/{name}", **values)


@pytest.mark.parametrize(
    ("scope", "definition", "principal"),
    [(SCOPE, READER, PRINCIPAL), (SCOPE.upper() + "/", BARE.upper(), PRINCIPAL.upper()), (SCOPE, GUID, PRINCIPAL)],
    ids=["to the letter", "other case, role without its subscription", "role by GUID"],
)
def test_an_equal_assignment_is_found_whatever_its_name_and_has_one_name_when_made(scope, definition, principal):
    assert AssignmentIndex([assigned()]).equal(scope, definition, principal) == [assigned()]
    assert assignment_name(scope, definition, principal) == assignment_name(SCOPE, READER, PRINCIPAL)


@pytest.mark.parametrize(
    "other",
    [assigned(scope="/subscriptions/s"), assigned(role_definition_id=f"{READER[:-1]}8"), assigned(principal_id="x")],
    ids=["scope above", "other role", "other principal"],
)
def test_what_differs_is_not_found(other):
    assert not AssignmentIndex([other]).equal(SCOPE, READER, PRINCIPAL)


def test_all_equal_assignments_are_found():
    twins = [assigned("a"), assigned("b", role_definition_id=BARE)]

    assert AssignmentIndex(twins).equal(SCOPE, READER, PRINCIPAL) == twins


@pytest.mark.parametrize("role", ["Reader", "Ops/Network", GUID, READER, BARE])
@pytest.mark.parametrize(
    "scope",
    [
        "/subscriptions/s",
        f"{SCOPE}/",
        f"{SCOPE}/providers/Microsoft.KeyVault/vaults/kv",
        f"{SCOPE}/providers/Microsoft.Network/virtualNetworks/v/subnets/n",
        "/providers/Microsoft.Management/managementGroups/m",
    ],
)
def test_roles_and_scopes_of_every_kind_are_accepted(role, scope):
    RoleGrant(role, scope).validate()


@pytest.mark.parametrize(
    ("role", "scope", "explanation"),
    [
        ("", SCOPE, "role is empty"),
        (" ", SCOPE, "role is empty"),
        ("/subscriptions/s/roles/Reader", SCOPE, "is not a role's id"),
        ("/providers/Microsoft.Authorization/roleDefinitions/Reader", SCOPE, "is not a role's id"),
        ("Reader", "", "scope '' is not an ARM id"),
        ("Reader", "rg-shop", "scope 'rg-shop' is not an ARM id"),
        ("Reader", "/subscriptions/", "is not an ARM id"),
        ("Reader", f"{SCOPE} ", "is not an ARM id"),
        ("Reader", f"{SCOPE}/providers/Microsoft.KeyVault/vaults", "is not an ARM id"),
    ],
)
def test_bad_input_is_refused_with_the_field_and_its_rule(role, scope, explanation):
    with pytest.raises(ConfigurationError, match=explanation):
        RoleGrant(role, scope).validate(within="")


def test_options_within_another_are_named_with_it():
    with pytest.raises(ConfigurationError, match=r"^role_assignments: role is empty"):
        RoleGrant("", SCOPE).validate()


def test_what_was_predicted_is_what_is_made_and_the_type_of_principal_is_said():
    operations = Assignments(None)

    assert write(session(operations), creation("Group"), PRINCIPAL) == creation("Group").after
    assert [body.principal_type for body in operations.bodies] == ["Group"]


def test_a_principal_that_is_too_new_is_waited_for(monkeypatch):
    monkeypatch.setattr(waiting, "FIRST_PAUSE_S", 0)
    operations = Assignments("PrincipalNotFound", "PrincipalNotFound", None)

    write(session(operations), creation(), PRINCIPAL)

    assert len(operations.bodies) == 3


def test_a_principal_that_never_comes_is_an_error_that_says_what_to_check():
    with pytest.raises(AzureError, match="not its client id"):
        write(session(Assignments("PrincipalNotFound")), creation(), PRINCIPAL, wait_s=0)


def test_an_assignment_that_another_writer_made_meanwhile_is_returned_under_its_own_name():
    operations = Assignments("RoleAssignmentExists", there=(assigned("by-hand"),))

    assert write(session(operations), creation(), PRINCIPAL)["name"] == "by-hand"


def test_an_assignment_is_deleted_where_it_is_in_whatever_case_the_service_writes_its_id():
    operations = Assignments()
    resource_id = assigned("a").id.lower()

    assert write(session(operations), Change.delete(resource_id, {}), "") is None
    assert operations.deleted == [(SCOPE.strip("/").lower(), "a")]
