# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exchange that a pod's Azure SDK makes: a Kubernetes token for an Entra token, as a managed identity."""

from __future__ import annotations

from ..errors import AzureError
from .cloud import Cloud
from .errors import HINTS, entra_code


def exchange(cloud: Cloud, tenant_id: str, client_id: str, assertion: str) -> None:
    """Ask Entra for a token of the identity. The token is dropped: that it was granted is all that matters.

    :param assertion: the Kubernetes token.
    :raises AzureError: with Entra's code (C(AADSTS…)) when it refuses.
    """
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
    from azure.identity import ClientAssertionCredential

    # A new credential each time: the old one may have cached Entra's refusal or an earlier token.
    credential = ClientAssertionCredential(
        tenant_id=tenant_id,
        client_id=client_id,
        func=lambda: assertion,
        authority=cloud.authority,
        disable_instance_discovery=not cloud.known,
    )
    try:
        with credential:
            credential.get_token(cloud.scope)
    except ClientAuthenticationError as error:
        raise _refusal(str(error.message)) from None
    except (HttpResponseError, ServiceRequestError) as error:
        raise AzureError(f"Entra at '{cloud.authority}' cannot be reached: {error}", code="EntraUnreachable") from None


def _refusal(text: str) -> AzureError:
    code = entra_code(text)
    # Entra's first sentences explain; what follows are trace ids and a link.
    start = text.find(code) if code else 0
    message = text[start:].split("Trace ID:")[0].strip()
    return AzureError(message, code=code or "EntraRefused", hint=HINTS.get(code, ""))
