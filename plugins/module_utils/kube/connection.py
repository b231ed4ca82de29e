# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection to a cluster's API server: signed in as kubernetes.core does, with enough connections for all workers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import KubernetesError

# Requests under way at once. Where the API server wants fewer, its priority and fairness queues the others.
MOST_CONNECTIONS = 16


def connect(options: Mapping[str, Any]) -> Any:
    """
    :param options: of C(kubernetes.core.k8s_auth_options); what is None is taken from the environment or the kubeconfig.
    :returns: C(kubernetes.dynamic.DynamicClient).
    :raises KubernetesError: when no API server can be reached with them.
    """
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.client import get_api_client
    from ansible_collections.kubernetes.core.plugins.module_utils.k8s.exceptions import CoreException

    try:
        client = get_api_client(**options).client
    except CoreException as error:
        raise KubernetesError(str(error), reason="Unreachable") from error
    _widen(client.client)
    return client


def _widen(api: Any) -> None:
    """Keep as many connections as there are workers. The client keeps five for each processor, and opens all others anew each time.

    :param api: C(kubernetes.client.ApiClient).
    """
    if api.configuration.connection_pool_maxsize < MOST_CONNECTIONS:
        api.configuration.connection_pool_maxsize = MOST_CONNECTIONS
        api.rest_client = type(api.rest_client)(api.configuration)
