# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Federated identity credentials of a user-assigned identity (…/federatedIdentityCredentials)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..arm.errors import azure_errors
from ..change import UNKNOWN, Action, Change, State
from ..errors import AzureError, ConfigurationError
from ..waiting import Deadline, retry

if TYPE_CHECKING:
    from ..arm.session import Session

# The audience that Entra expects of a federated token (Microsoft Learn, workload identity federation).
DEFAULT_AUDIENCE = "api://AzureADTokenExchange"

# The service's limit per identity (Microsoft Learn, considerations for federated credentials on managed identities).
CREDENTIALS_PER_IDENTITY = 20

# The credential by which AKS lets identity bindings use an identity (Microsoft Learn, identity bindings). AKS makes it and keeps it.
AKS_BINDING_CREDENTIAL = "aks-identity-binding"

CONFLICT_CODES = frozenset({"ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"})

# How long another writer of the same identity is waited for, in seconds.
CONFLICT_WAIT_S = 120.0

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-_]{2,119}")  # the pattern in azure-mgmt-msi
_LONGEST = 600
_SERVICE_ACCOUNT_PREFIX = "system:serviceaccount:"
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@dataclass(frozen=True)
class FederatedCredential:
    """One trust: tokens of C(issuer) for C(subject) and C(audiences) may act as the identity. Compared exactly."""

    name: str
    issuer: str
    subject: str
    audiences: tuple[str, ...] = (DEFAULT_AUDIENCE,)

    @property
    def trust(self) -> tuple[str, str]:
        """Whom it trusts; the service allows it once in an identity."""
        return self.issuer, self.subject

    @property
    def belongs_to_aks(self) -> bool:
        """Whether it is the one that identity bindings live by, which nobody else may delete."""
        return self.name.lower() == AKS_BINDING_CREDENTIAL

    def state(self, parent_id: str) -> State:
        return {
            "id": credential_id(parent_id, self.name),
            "name": self.name,
            "issuer": self.issuer,
            "subject": self.subject,
            "audiences": list(self.audiences),
        }

    def validate(self, *, predicting: bool = False) -> None:
        """
        :param predicting: accept an issuer that is not known yet, as check mode hands on for a cluster whose issuer is off.
        :raises ConfigurationError: naming the field, the value and the rule.
        """
        if not (predicting and self.issuer == UNKNOWN):
            # The name of a bulk credential depends on the issuer.
            _validate_name(self.name)
            validate_issuer(self.issuer)
        _validate_subject(self.subject)
        _validate_audiences(self.audiences)


def credential_id(parent_id: str, name: str) -> str:
    return f"{parent_id}/federatedIdentityCredentials/{name}"


def service_account_subject(namespace: str, name: str) -> str:
    """The C(sub) claim of a Kubernetes ServiceAccount's token.

    :raises ConfigurationError: for names that Kubernetes does not allow.
    """
    if not _DNS_LABEL.fullmatch(namespace):
        raise ConfigurationError(
            f"namespace '{namespace}': 1 to 63 lower-case letters, digits and hyphens are allowed."
        )
    if not _DNS_SUBDOMAIN.fullmatch(name):
        raise ConfigurationError(
            f"service account '{name}': 1 to 253 lower-case letters, digits, hyphens and dots are allowed, beginning and ending alphanumeric."
        )
    return f"{_SERVICE_ACCOUNT_PREFIX}{namespace}:{name}"


def validate_issuer(issuer: str) -> None:
    _validate_text("issuer", issuer)
    if not issuer.startswith("https://") or any(character.isspace() for character in issuer):
        raise ConfigurationError(
            f"issuer '{issuer}' is not an https URL; use the cluster's issuer URL with its trailing slash "
            "(oidc_issuer_url of aks.virtual_nodes.cluster_features)."
        )


def list_of(session: Session, resource_group: str, identity: str) -> list[FederatedCredential]:
    """All credentials of one identity, page by page.

    :raises AzureError: C(ParentResourceNotFound) or C(ResourceNotFound) when the identity does not exist.
    """
    with azure_errors(f"Listing the federated credentials of identity '{identity}' in '{resource_group}'"):
        pages = session.identities.federated_identity_credentials.list(resource_group, identity)
        return [_credential(each) for each in pages]


def write(session: Session, resource_group: str, identity: str, change: Change) -> State | None:
    """Carry out a change; a concurrent writer of the same identity, which the service refuses to serve, is waited for."""
    return retry(
        lambda: _write_once(session, resource_group, identity, change),
        when=lambda error: error.code in CONFLICT_CODES,
        deadline=Deadline(CONFLICT_WAIT_S),
    )


def _write_once(session: Session, resource_group: str, identity: str, change: Change) -> State | None:
    name = str((change.after or change.before or {})["name"])
    operations = session.identities.federated_identity_credentials
    with azure_errors(f"Writing federated credential '{name}' of identity '{identity}' ({change.action})"):
        if change.action is Action.DELETE or change.after is None:
            operations.delete(resource_group, identity, name)
            return None
        written = operations.create_or_update(resource_group, identity, name, _body(change.after))
    return {**change.after, "id": written.id}


def _credential(found: Any) -> FederatedCredential:
    return FederatedCredential(found.name, found.issuer, found.subject, tuple(found.audiences))


def _body(after: State) -> Any:
    from azure.mgmt.msi.v2024_11_30.models import FederatedIdentityCredential

    return FederatedIdentityCredential(
        issuer=after["issuer"], subject=after["subject"], audiences=list(after["audiences"])
    )


def _validate_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"Federated credential name '{name}': 3 to 120 letters, digits, hyphens and underscores are allowed, "
            "starting with a letter or digit."
        )


def _validate_text(field: str, value: str) -> None:
    if not value or value != value.strip():
        raise ConfigurationError(
            f"{field} '{value}' is empty or has blanks at an end; Entra compares it to the letter."
        )
    if len(value) > _LONGEST:
        raise ConfigurationError(f"{field} has {len(value)} characters; the service allows {_LONGEST}.")


def _validate_subject(subject: str) -> None:
    _validate_text("subject", subject)
    if "*" in subject:
        raise ConfigurationError(
            f"subject '{subject}': wildcards are not supported; one credential is needed for each subject."
        )
    if subject.startswith(_SERVICE_ACCOUNT_PREFIX):
        parts = subject.removeprefix(_SERVICE_ACCOUNT_PREFIX).split(":")
        if len(parts) != 2:
            raise ConfigurationError(
                f"subject '{subject}' can match no token; a ServiceAccount's is system:serviceaccount:<namespace>:<name>."
            )
        service_account_subject(*parts)


def _validate_audiences(audiences: tuple[str, ...]) -> None:
    if len(audiences) != 1:
        raise ConfigurationError(
            f"audiences has {len(audiences)} values; the service takes exactly one, for workload identity '{DEFAULT_AUDIENCE}'."
        )
    _validate_text("audiences", audiences[0])


def is_missing_identity(error: AzureError) -> bool:
    """Whether a list call failed because there is no such identity."""
    return error.code in ("ParentResourceNotFound", "ResourceNotFound")
