# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""azure-core's exceptions as AzureError, with the hints that the services' own texts lack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import AzureError

# Code -> what to do. Sources: Microsoft Learn's troubleshooting pages of the service in question.
HINTS = {
    "AADSTS700016": "The client id does not exist in this tenant: check client_id (AZURE_CLIENT_ID) and tenant (AZURE_TENANT).",
    "AADSTS7000215": "The secret is wrong: AZURE_SECRET must hold the secret's value, not its id.",
    "AADSTS7000222": "The secret has expired: create a new one for the service principal and set AZURE_SECRET.",
    "AADSTS90002": "The tenant does not exist: check tenant (AZURE_TENANT).",
    "AADSTS900023": "The tenant is neither a GUID nor a domain name: check tenant (AZURE_TENANT).",
    "AADSTS50034": "The account does not exist in this tenant: check tenant (AZURE_TENANT).",
    "AuthorityUnavailable": "The tenant does not exist, or Entra cannot be reached: check tenant (AZURE_TENANT) and cloud_environment.",
    "AuthorizationFailed": "Give the principal that runs the play a role on that scope (the message names the missing action).",
    "InvalidAuthenticationTokenTenant": "The subscription belongs to another tenant: check tenant (AZURE_TENANT) and subscription_id.",
    "SubscriptionNotFound": "Check subscription_id (AZURE_SUBSCRIPTION_ID), and that the principal has a role in it.",
    "InvalidSubscriptionId": "Check subscription_id (AZURE_SUBSCRIPTION_ID): it must be a GUID.",
    "ResourceGroupNotFound": "Check resource_group and subscription_id; the collection creates no resource groups.",
    "ParentResourceNotFound": "The identity does not exist: create it first (aks.virtual_nodes.user_assigned_identity).",
    "LinkedAuthorizationFailed": "Give the principal that runs the play a role on the resource that the message names as linked scope.",
    "MissingSubscriptionRegistration": "Register the resource provider that the message names: az provider register --namespace <name>.",
    "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity": "Another writer is changing the same identity; run again.",
    "RequestDisallowedByPolicy": "An Azure Policy forbids it; the message names the policy.",
    "ScopeLocked": "A lock on the scope forbids it; remove the lock or choose another scope.",
    "PrincipalNotFound": "Check the id: the object id of the service principal, not its client id. One made moments ago is unknown for a while.",
    "UnmatchedPrincipalType": "Set principal_type to the type that the message names.",
    "RoleAssignmentLimitExceeded": "The subscription has reached its limit of role assignments (4,000).",
}

_AADSTS = re.compile(r"AADSTS\d+")


def entra_code(text: str) -> str:
    """The first AADSTS code in Entra's answer, such as C(AADSTS700211)."""
    match = _AADSTS.search(text)
    return match.group(0) if match else ""


@contextmanager
def azure_errors(what: str = "") -> Iterator[None]:
    """Turn what azure-core raises in the block into AzureError.

    :param what: what was being done, put before the service's words ("Reading identity 'id-orders'").
    """
    from azure.core.exceptions import AzureError as AzureCoreError

    try:
        yield
    except AzureCoreError as error:
        raise _translate(error, what) from error


def _msal_code(text: str) -> str:
    # MSAL asks the tenant for its configuration first, and keeps Entra's answer (AADSTS90002) to itself.
    return "AuthorityUnavailable" if "Unable to get authority configuration" in text else ""


def _translate(error: Any, what: str) -> AzureError:
    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    headers = getattr(response, "headers", None) or {}
    text = str(getattr(error, "message", "") or error)
    code = (
        str(getattr(getattr(error, "error", None), "code", "") or "")
        or entra_code(text)
        or _msal_code(text)
        or type(error).__name__
    )
    service_message = str(getattr(getattr(error, "error", None), "message", "") or text)
    message = " ".join(service_message.split())
    return AzureError(
        f"{what}: {message}" if what else message,
        code=code,
        status=status,
        request_id=headers.get("x-ms-request-id", ""),
        hint=HINTS.get(code, ""),
    )
