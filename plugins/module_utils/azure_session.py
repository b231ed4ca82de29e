# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the options of a module to Azure; apart from the Kubernetes half, since Ansible ships to a module all that it imports."""

from __future__ import annotations

import os

from ansible.module_utils.basic import AnsibleModule

from .arm import options
from .arm.session import Session


def open_session(module: AnsibleModule) -> Session:
    """The Azure session that the module's options describe; every secret of any source is censored from then on."""
    resolved = options.resolve(module.params, os.environ)
    module.no_log_values.update(resolved.secrets)
    return Session(resolved)
