# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The authentication options of every Azure module, under the names that azure.azcollection and AWX users know."""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError

AUTH_SOURCES = ("auto", "env", "credential_file", "workload_identity", "cli", "msi")

# Option -> environment variables, first one set wins: azcollection's and AWX's name first, then azure-identity's own.
ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "subscription_id": ("AZURE_SUBSCRIPTION_ID",),
    "tenant": ("AZURE_TENANT", "AZURE_TENANT_ID"),
    "client_id": ("AZURE_CLIENT_ID",),
    "secret": ("AZURE_SECRET", "AZURE_CLIENT_SECRET"),
    "x509_certificate_path": ("AZURE_X509_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PATH"),
    "certificate_password": ("AZURE_CLIENT_CERTIFICATE_PASSWORD",),
    "oidc_token": ("AZURE_OIDC_TOKEN",),
    "oidc_token_file_path": ("AZURE_OIDC_TOKEN_FILE_PATH", "AZURE_FEDERATED_TOKEN_FILE"),
    "cloud_environment": ("AZURE_CLOUD_ENVIRONMENT",),
    "profile": ("AZURE_PROFILE",),
    "disable_instance_discovery": ("AZURE_DISABLE_INSTANCE_DISCOVERY",),
}

CREDENTIALS_FILE = Path("~/.azure/credentials")


def azure_argument_spec(**module_options: dict[str, Any]) -> dict[str, Any]:
    """The argument spec of an Azure module: its own options, then the shared ones."""
    return dict(
        **module_options,
        subscription_id=dict(type="str"),
        tenant=dict(type="str"),
        client_id=dict(type="str"),
        secret=dict(type="str", no_log=True),
        x509_certificate_path=dict(type="path"),
        certificate_password=dict(type="str", no_log=True),
        oidc_token=dict(type="str", no_log=True),
        oidc_token_file_path=dict(type="path", no_log=False),
        auth_source=dict(type="str", choices=list(AUTH_SOURCES)),
        profile=dict(type="str"),
        cloud_environment=dict(type="str"),
        disable_instance_discovery=dict(type="bool"),
    )


@dataclass(frozen=True)
class Identification:
    """Who signs in, as one source (the task, the environment, a profile) tells it."""

    client_id: str = ""
    tenant: str = ""
    secret: str = field(default="", repr=False)
    x509_certificate_path: str = ""
    certificate_password: str = field(default="", repr=False)
    oidc_token: str = field(default="", repr=False)
    oidc_token_file_path: str = ""

    def filled_from(self, other: Identification) -> Identification:
        """The same, with what is missing here taken from C(other)."""
        missing = {f.name: getattr(other, f.name) for f in fields(self) if not getattr(self, f.name)}
        return replace(self, **missing)

    @property
    def proof(self) -> bool:
        """Whether it holds something that proves the identity."""
        return bool(self.secret or self.x509_certificate_path or self.oidc_token or self.oidc_token_file_path)

    @property
    def secrets(self) -> list[str]:
        return [value for value in (self.secret, self.certificate_password, self.oidc_token) if value]


@dataclass(frozen=True)
class AuthOptions:
    """All that is needed to sign in, resolved from the task, the environment and the credential file."""

    auth_source: str
    parameters: Identification
    environment: Identification
    profile_name: str
    profile: Identification | None
    subscription_id: str
    cloud_environment: str
    authority_host: str
    disable_instance_discovery: bool

    @property
    def secrets(self) -> list[str]:
        """Every secret that any source holds, so that the runner can censor them."""
        sources = (self.parameters, self.environment, self.profile or Identification())
        return [secret for source in sources for secret in source.secrets]

    @property
    def tenant(self) -> str:
        return self.parameters.tenant or self.environment.tenant or (self.profile.tenant if self.profile else "")


def resolve(params: Mapping[str, Any], environ: Mapping[str, str]) -> AuthOptions:
    """Put together what the task, the environment and C(~/.azure/credentials) say, without any request.

    :raises ConfigurationError: for an unknown auth_source, or a profile that does not exist.
    """
    profile_name = _option("profile", params, environ)
    section = _read_profile(profile_name or "default", required=bool(profile_name))
    auth_source = str(params.get("auth_source") or environ.get("ANSIBLE_AZURE_AUTH_SOURCE") or "auto").lower()
    if auth_source not in AUTH_SOURCES:
        raise ConfigurationError(
            f"auth_source '{auth_source}' (from ANSIBLE_AZURE_AUTH_SOURCE) is unknown; use one of: {', '.join(AUTH_SOURCES)}."
        )
    return AuthOptions(
        auth_source=auth_source,
        parameters=_identification(lambda name: str(params.get(name) or "")),
        environment=_identification(lambda name: _from_environment(name, environ)),
        profile_name=profile_name or "default",
        profile=_identification(lambda name: section.get(name, "")) if section else None,
        subscription_id=_option("subscription_id", params, environ) or section.get("subscription_id", ""),
        cloud_environment=_option("cloud_environment", params, environ) or section.get("cloud_environment", ""),
        authority_host=environ.get("AZURE_AUTHORITY_HOST", ""),
        disable_instance_discovery=_truth(_option("disable_instance_discovery", params, environ)),
    )


def _identification(lookup: Any) -> Identification:
    return Identification(**{f.name: lookup(f.name) for f in fields(Identification)})


def _from_environment(name: str, environ: Mapping[str, str]) -> str:
    return next((environ[variable] for variable in ENVIRONMENT[name] if environ.get(variable)), "")


def _option(name: str, params: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    value = params.get(name)
    return str(value) if value not in (None, "") else _from_environment(name, environ)


def _truth(value: str) -> bool:
    return value.lower() in ("1", "true", "yes", "on")


def _read_profile(name: str, *, required: bool) -> Mapping[str, str]:
    path = CREDENTIALS_FILE.expanduser()
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
    except configparser.Error as error:
        raise ConfigurationError(f"{path} is not a readable credential file: {type(error).__name__}.") from None
    if parser.has_section(name):
        return dict(parser.items(name))
    if required:
        raise ConfigurationError(
            f"profile '{name}' is not in {path}; it has: {', '.join(parser.sections()) or 'no profile'}."
        )
    return {}
