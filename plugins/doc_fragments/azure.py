# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  subscription_id:
    description:
      - The Azure subscription, a GUID.
      - Falls back to E(AZURE_SUBSCRIPTION_ID), the profile, the Azure CLI's default subscription, and last the only subscription
        that the principal can see.
    type: str
  tenant:
    description:
      - The Entra tenant, a GUID or a domain name. Falls back to E(AZURE_TENANT), then E(AZURE_TENANT_ID).
    type: str
  client_id:
    description:
      - Client id of the service principal or managed identity that runs the task. Falls back to E(AZURE_CLIENT_ID).
    type: str
  secret:
    description:
      - Secret of the service principal. Falls back to E(AZURE_SECRET), then E(AZURE_CLIENT_SECRET).
    type: str
  x509_certificate_path:
    description:
      - File with the service principal's certificate and private key, PEM or PKCS12.
        Falls back to E(AZURE_X509_CERTIFICATE_PATH), then E(AZURE_CLIENT_CERTIFICATE_PATH).
    type: path
  certificate_password:
    description:
      - Password of the certificate file. Falls back to E(AZURE_CLIENT_CERTIFICATE_PASSWORD).
    type: str
  oidc_token:
    description:
      - A federated token to sign in with, such as a CI system issues. Falls back to E(AZURE_OIDC_TOKEN).
    type: str
  oidc_token_file_path:
    description:
      - File that holds the federated token; read again whenever a token is needed.
        Falls back to E(AZURE_OIDC_TOKEN_FILE_PATH), then E(AZURE_FEDERATED_TOKEN_FILE).
    type: path
  auth_source:
    description:
      - Where the credentials come from. Falls back to E(ANSIBLE_AZURE_AUTH_SOURCE), then V(auto).
      - V(auto) takes the first that is configured of the options of the task, V(env), V(credential_file), V(workload_identity), V(cli).
        A source that is configured and refused by Entra is an error; no other is tried after it.
      - V(env) uses the environment variables named at each option.
      - V(credential_file) uses a profile in C(~/.azure/credentials).
      - V(workload_identity) uses the token file that AKS workload identity mounts (E(AZURE_FEDERATED_TOKEN_FILE)).
      - V(cli) uses the account of C(az login).
      - V(msi) uses the managed identity of the Azure machine that runs the task; it is never tried by V(auto).
    type: str
    choices: [auto, env, credential_file, workload_identity, cli, msi]
  profile:
    description:
      - Section of C(~/.azure/credentials). Falls back to E(AZURE_PROFILE), then V(default).
    type: str
  cloud_environment:
    description:
      - The cloud, V(AzureCloud), V(AzureUSGovernment) or V(AzureChinaCloud), or the https URL of another cloud's Resource Manager,
        whose metadata endpoint is then read. Falls back to E(AZURE_CLOUD_ENVIRONMENT), the profile, and last V(AzureCloud).
    type: str
  disable_instance_discovery:
    description:
      - Do not ask Entra's public instance discovery about the authority; for clouds that cannot reach it.
        Always so with a cloud that is given by URL. Falls back to E(AZURE_DISABLE_INSTANCE_DISCOVERY), then V(false).
    type: bool
requirements:
  - python >= 3.11
  - azure-identity >= 1.19.0
notes:
  - TLS certificates are always verified; E(REQUESTS_CA_BUNDLE) names a file of authorities to trust instead of the public ones.
  - Requests that are throttled (429, 503) are repeated after the time that the service asks for.
"""
