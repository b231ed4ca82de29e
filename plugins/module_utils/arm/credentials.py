# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From authentication options to an azure-identity credential, or to a sentence on why there is none."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from .cloud import Cloud
from .options import CREDENTIALS_FILE, AuthOptions, Identification

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

# The order of auth_source=auto. A managed identity is not probed for: off Azure the probe costs seconds.
AUTOMATIC_ORDER = ("parameters", "env", "credential_file", "workload_identity", "cli")


@dataclass(frozen=True)
class ChosenCredential:
    """A credential, and the name of the source it came from."""

    credential: TokenCredential
    source: str


class _Unavailable(Exception):
    """This source is not configured; the text says what it lacks."""


def choose_credential(options: AuthOptions, cloud: Cloud) -> ChosenCredential:
    """The credential of the first source that is configured.

    A source that is configured and then refused by Entra is an error of its own: falling through to the next one would
    run the play as somebody else.

    :raises ConfigurationError: when no source is configured; the text lists what was tried and what each one lacks.
    """
    sources = _sources(options, cloud)
    wanted: tuple[str, ...] = AUTOMATIC_ORDER if options.auth_source == "auto" else (options.auth_source,)
    if options.auth_source == "env" and options.parameters.proof:
        wanted = ("parameters", "env")
    tried = []
    for name in wanted:
        try:
            return ChosenCredential(sources[name](), name)
        except _Unavailable as reason:
            tried.append(f"{name}: {reason}")
    raise ConfigurationError(
        f"No Azure credentials found (auth_source={options.auth_source}). Tried " + "; ".join(tried) + ". "
        "Set AZURE_CLIENT_ID, AZURE_SECRET and AZURE_TENANT, give the same as options, or sign in with 'az login'."
    )


def _sources(options: AuthOptions, cloud: Cloud) -> dict[str, Callable[[], TokenCredential]]:
    settings = _authority_settings(options, cloud)
    return {
        "parameters": lambda: _from_parameters(options, settings),
        "env": lambda: _from_environment(options, settings),
        "credential_file": lambda: _from_profile(options, settings),
        "workload_identity": lambda: _from_token_file(options, settings),
        "cli": lambda: _from_cli(options),
        "msi": lambda: _from_managed_identity(options),
    }


def _authority_settings(options: AuthOptions, cloud: Cloud) -> dict[str, Any]:
    # A cloud that Entra's public instance discovery does not know would be refused before it is asked.
    authority = cloud.authority
    if options.authority_host and not options.cloud_environment:
        authority = options.authority_host
    return {
        "authority": authority,
        "disable_instance_discovery": options.disable_instance_discovery or not cloud.known,
    }


def _from_parameters(options: AuthOptions, settings: dict[str, Any]) -> TokenCredential:
    if not options.parameters.proof:
        raise _Unavailable("the task gives no secret, x509_certificate_path, oidc_token or oidc_token_file_path")
    return _service_principal(options.parameters.filled_from(options.environment), settings, "")


def _from_environment(options: AuthOptions, settings: dict[str, Any]) -> TokenCredential:
    found = options.environment
    if not (found.secret or found.x509_certificate_path or found.oidc_token):
        if options.auth_source == "env" and found.oidc_token_file_path:
            return _from_token_file(options, settings)
        raise _Unavailable(
            "AZURE_SECRET (or AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH, AZURE_OIDC_TOKEN) is not set"
        )
    return _service_principal(options.parameters.filled_from(found), settings, "AZURE_")


def _from_profile(options: AuthOptions, settings: dict[str, Any]) -> TokenCredential:
    if options.profile is None:
        raise _Unavailable(f"{CREDENTIALS_FILE} has no profile '{options.profile_name}'")
    if not options.profile.proof:
        raise _Unavailable(f"profile '{options.profile_name}' in {CREDENTIALS_FILE} has no secret and no certificate")
    return _service_principal(options.parameters.filled_from(options.profile), settings, "")


def _from_token_file(options: AuthOptions, settings: dict[str, Any]) -> TokenCredential:
    found = options.parameters.filled_from(options.environment)
    if not found.oidc_token_file_path:
        raise _Unavailable("AZURE_FEDERATED_TOKEN_FILE is not set")
    only_file = Identification(
        client_id=found.client_id, tenant=found.tenant, oidc_token_file_path=found.oidc_token_file_path
    )
    return _service_principal(only_file, settings, "AZURE_")


def _service_principal(found: Identification, settings: dict[str, Any], prefix: str) -> TokenCredential:
    lacking = [name for name in ("client_id", "tenant") if not getattr(found, name)]
    if lacking:
        names = " and ".join(prefix + (name.upper() if prefix else name) for name in lacking)
        raise _Unavailable(f"{names} is not set")
    from azure import identity

    who: dict[str, Any] = dict(tenant_id=found.tenant, client_id=found.client_id, **settings)
    try:
        if found.oidc_token:
            return identity.ClientAssertionCredential(func=lambda: found.oidc_token, **who)
        if found.secret:
            return identity.ClientSecretCredential(client_secret=found.secret, **who)
        if found.x509_certificate_path:
            return identity.CertificateCredential(
                certificate_path=found.x509_certificate_path, password=found.certificate_password or None, **who
            )
        return identity.WorkloadIdentityCredential(token_file_path=found.oidc_token_file_path, **who)
    except (ValueError, OSError) as error:
        raise ConfigurationError(
            f"The Azure credentials of client '{found.client_id}' cannot be used: {error}"
        ) from error


def _from_cli(options: AuthOptions) -> TokenCredential:
    if not shutil.which("az"):
        raise _Unavailable("the Azure CLI (az) is not on the PATH")
    if not default_cli_subscription():
        raise _Unavailable("nobody is signed in to the Azure CLI (az login)")
    from azure.identity import AzureCliCredential

    return AzureCliCredential(tenant_id=options.parameters.tenant)


def _from_managed_identity(options: AuthOptions) -> TokenCredential:
    from azure.identity import ManagedIdentityCredential

    client_id = options.parameters.client_id or options.environment.client_id
    return ManagedIdentityCredential(client_id=client_id or None)


def default_cli_subscription() -> str:
    """The subscription that C(az account set) chose; empty when nobody is signed in."""
    directory = Path(os.environ.get("AZURE_CONFIG_DIR") or "~/.azure").expanduser()
    try:
        profile = json.loads((directory / "azureProfile.json").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return ""
    return next((str(each["id"]) for each in profile.get("subscriptions", []) if each.get("isDefault")), "")
