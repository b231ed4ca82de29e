# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a Key Vault secret by workload identity, says so, and keeps reading until it is told to stop.

The value is never printed: the line names the secret, its version and its length.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient

# What the workload identity webhook gives to a labelled pod.
WEBHOOK_VARIABLES = ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE")


@dataclass(frozen=True)
class Settings:
    vault_url: str
    secret_name: str
    read_interval_seconds: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        missing = [name for name in ("KEYVAULT_URL", "SECRET_NAME") if not environment.get(name)]
        if missing:
            raise ValueError(f"{' and '.join(missing)} must be set")
        missing = [name for name in WEBHOOK_VARIABLES if not environment.get(name)]
        if missing:
            raise ValueError(
                f"{', '.join(missing)} not set: the pod was not given a workload identity. Its template needs the "
                'label azure.workload.identity/use: "true", and its ServiceAccount the annotation '
                "azure.workload.identity/client-id"
            )
        try:
            interval = float(environment.get("READ_INTERVAL_SECONDS") or 60)
        except ValueError:
            raise ValueError("READ_INTERVAL_SECONDS must be a number of seconds") from None
        return cls(environment["KEYVAULT_URL"], environment["SECRET_NAME"], interval)


def say(message: str) -> None:
    print(message, flush=True)


def read_once(client: SecretClient, settings: Settings) -> None:
    secret = client.get_secret(settings.secret_name)
    say(
        f"Read the secret {secret.name!r} (version {secret.properties.version}, {len(secret.value or '')} characters) "
        f"from {settings.vault_url} as client {os.environ['AZURE_CLIENT_ID']}."
    )


def read_until_told_to_stop(settings: Settings) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_ignored: stop.set())

    with WorkloadIdentityCredential() as credential, SecretClient(settings.vault_url, credential) as client:
        while not stop.is_set():
            try:
                read_once(client, settings)
            except ClientAuthenticationError as error:
                say(f"Refused: no token for this pod. {error.message}")
                return 1
            except AzureError as error:
                say(f"Refused: the secret {settings.secret_name!r} was not read. {error.message}")
                return 1
            stop.wait(settings.read_interval_seconds)
    say("Told to stop.")
    return 0


def main() -> int:
    try:
        settings = Settings.from_environment(os.environ)
    except ValueError as error:
        say(f"Cannot start: {error}.")
        return 2
    return read_until_told_to_stop(settings)


if __name__ == "__main__":
    sys.exit(main())
