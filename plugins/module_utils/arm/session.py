# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One signed-in connection to an Azure subscription; its clients are made, and their SDKs imported, on first use."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from .cloud import Cloud, find_cloud
from .credentials import ChosenCredential, choose_credential, default_cli_subscription
from .errors import azure_errors
from .options import AuthOptions
from .pacing import Pacer, pacing_policy
from .resource_id import is_guid

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.core import ARMPipelineClient
    from azure.mgmt.msi.v2024_11_30 import ManagedServiceIdentityClient
    from azure.mgmt.privatedns import PrivateDnsManagementClient

USER_AGENT = "ansible-aks.virtual_nodes"

# As many as the module with the most workers has.
MOST_CONNECTIONS = 32


class Session:
    """What a module needs of Azure. Nothing is asked of Azure until a property is used."""

    def __init__(self, options: AuthOptions) -> None:
        self.options = options

    @cached_property
    def cloud(self) -> Cloud:
        return find_cloud(self.options.cloud_environment)

    @cached_property
    def _chosen(self) -> ChosenCredential:
        return choose_credential(self.options, self.cloud)

    @property
    def credential(self) -> TokenCredential:
        return self._chosen.credential

    @cached_property
    def subscription_id(self) -> str:
        """The subscription of the options, the CLI's default, or the only one that the principal can see."""
        given = self.options.subscription_id
        if given and not is_guid(given):
            raise ConfigurationError(f"subscription_id '{given}' is not a GUID; 'az account list' shows the ids.")
        if given:
            return given
        if self._chosen.source == "cli":
            return default_cli_subscription()
        return self._only_subscription()

    def _only_subscription(self) -> str:
        answer = self.get("/subscriptions", api_version="2022-12-01")
        visible = [
            each["subscriptionId"] for each in answer.get("value", []) if each.get("state", "Enabled") == "Enabled"
        ]
        if len(visible) == 1:
            return str(visible[0])
        seen = ", ".join(visible) or "none"
        raise ConfigurationError(
            f"subscription_id (AZURE_SUBSCRIPTION_ID) is not set, and the principal sees not one but: {seen}."
        )

    @cached_property
    def identities(self) -> ManagedServiceIdentityClient:
        # One version's client: the multi-version client imports all four.
        from azure.mgmt.msi.v2024_11_30 import ManagedServiceIdentityClient

        return ManagedServiceIdentityClient(self.credential, self.subscription_id, **self._settings)

    @cached_property
    def clusters(self) -> ContainerServiceClient:
        from azure.mgmt.containerservice import ContainerServiceClient

        return ContainerServiceClient(self.credential, self.subscription_id, **self._settings)

    @cached_property
    def authorization(self) -> AuthorizationManagementClient:
        from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient

        return AuthorizationManagementClient(self.credential, self.subscription_id, **self._settings)

    @cached_property
    def private_dns(self) -> PrivateDnsManagementClient:
        from azure.mgmt.privatedns import PrivateDnsManagementClient

        return PrivateDnsManagementClient(self.credential, self.subscription_id, **self._settings)

    @cached_property
    def _pacer(self) -> Pacer:
        # One for all clients: they empty the same buckets.
        return Pacer()

    @cached_property
    def _transport(self) -> Any:
        """Connections that all clients share, enough of them that no worker has to open one for a single request."""
        import requests
        from azure.core.pipeline.transport import RequestsTransport

        session = requests.Session()
        session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=MOST_CONNECTIONS))
        return RequestsTransport(session=session, session_owner=False)

    @cached_property
    def _arm(self) -> ARMPipelineClient[Any, Any]:
        from azure.core.pipeline.policies import HeadersPolicy, RequestIdPolicy, RetryPolicy, UserAgentPolicy
        from azure.mgmt.core import ARMPipelineClient
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        policies = [
            RequestIdPolicy(),
            HeadersPolicy(),
            UserAgentPolicy(USER_AGENT),
            RetryPolicy(),
            pacing_policy(self._pacer),
            ARMChallengeAuthenticationPolicy(self.credential, self.cloud.scope),
        ]
        return ARMPipelineClient(base_url=self.cloud.resource_manager, policies=policies, transport=self._transport)

    def get(self, path: str, *, api_version: str) -> dict[str, Any]:
        """GET of a resource for which an SDK of its own would be too much."""
        from azure.core.exceptions import HttpResponseError
        from azure.core.rest import HttpRequest
        from azure.mgmt.core.exceptions import ARMErrorFormat

        request = HttpRequest("GET", self.cloud.resource_manager + path, params={"api-version": api_version})
        with azure_errors(f"Reading {path}"):
            response = self._arm.send_request(request)
            if response.status_code >= 400:
                raise HttpResponseError(response=response, error_format=ARMErrorFormat)
            answer: dict[str, Any] = response.json()
            return answer

    @property
    def _settings(self) -> dict[str, Any]:
        return {
            "base_url": self.cloud.resource_manager,
            "credential_scopes": [self.cloud.scope],
            "user_agent": USER_AGENT,
            "transport": self._transport,
            "per_retry_policies": [pacing_policy(self._pacer)],
        }
