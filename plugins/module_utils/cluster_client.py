# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of a module to an API server; apart from the Azure half, since Ansible ships to a module all that it imports."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .kube.connection import connect


def open_cluster(module: AnsibleModule) -> Any:
    """The Kubernetes client (C(DynamicClient)) that the options of C(kubernetes.core.k8s_auth_options) describe.

    :raises KubernetesError: when no API server can be reached with them.
    """
    from ansible_collections.kubernetes.core.plugins.module_utils.args_common import AUTH_ARG_SPEC

    # The options and not the module, which would have to be one of kubernetes.core's own class.
    return connect({name: module.params[name] for name in AUTH_ARG_SPEC})
