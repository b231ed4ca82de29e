# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.aks.virtual_nodes.plugins.module_utils.change import UNKNOWN
from ansible_collections.aks.virtual_nodes.plugins.module_utils.errors import ConfigurationError
from ansible_collections.aks.virtual_nodes.plugins.module_utils.resources.federated_credential import (
    FederatedCredential,
    service_account_subject,
)

ISSUER = "https://issuer.example/tenant/cluster/"
SUBJECT = "system:serviceaccount:shop:orders"
AUDIENCE = ("api://AzureADTokenExchange",)


@pytest.mark.parametrize(
    ("name", "issuer", "subject", "audiences", "explanation"),
    [
        ("ab", ISSUER, SUBJECT, AUDIENCE, "3 to 120"),
        ("-abc", ISSUER, SUBJECT, AUDIENCE, "starting with a letter or digit"),
        ("a" * 121, ISSUER, SUBJECT, AUDIENCE, "3 to 120"),
        ("orders.v1", ISSUER, SUBJECT, AUDIENCE, "letters, digits, hyphens and underscores"),
        ("orders", "http://issuer.example/", SUBJECT, AUDIENCE, "not an https URL"),
        ("orders", "", SUBJECT, AUDIENCE, "issuer '' is empty"),
        ("orders", ISSUER + " ", SUBJECT, AUDIENCE, "blanks at an end"),
        ("orders", UNKNOWN, SUBJECT, AUDIENCE, "not an https URL"),
        ("orders", ISSUER, " " + SUBJECT, AUDIENCE, "blanks at an end"),
        ("orders", ISSUER, "", AUDIENCE, "subject '' is empty"),
        ("orders", ISSUER, "system:serviceaccount:shop:*", AUDIENCE, "wildcards"),
        ("orders", ISSUER, "system:serviceaccount:shop", AUDIENCE, "can match no token"),
        ("orders", ISSUER, "system:serviceaccount:Shop:orders", AUDIENCE, "lower-case"),
        ("orders", ISSUER, "s" * 601, AUDIENCE, "600"),
        ("orders", ISSUER, SUBJECT, (), "exactly one"),
        ("orders", ISSUER, SUBJECT, ("",), "empty"),
        ("orders", ISSUER, SUBJECT, (*AUDIENCE, "second"), "exactly one"),
    ],
)
def test_bad_input_is_refused_with_the_rule(name, issuer, subject, audiences, explanation):
    with pytest.raises(ConfigurationError, match=explanation):
        FederatedCredential(name, issuer, subject, audiences).validate()


def test_an_issuer_that_is_known_after_apply_is_accepted_only_while_predicting():
    FederatedCredential("orders", UNKNOWN, SUBJECT).validate(predicting=True)


def test_subjects_of_other_issuers_are_not_held_to_kubernetes_rules():
    FederatedCredential("github", "https://token.actions.example", "repo:org/App:ref:refs/heads/main").validate()


@pytest.mark.parametrize(
    ("namespace", "name"), [("", "orders"), ("shop", ""), ("s" * 64, "orders"), ("shop", "-orders"), ("a.b", "c")]
)
def test_impossible_service_accounts_are_refused(namespace, name):
    with pytest.raises(ConfigurationError):
        service_account_subject(namespace, name)
