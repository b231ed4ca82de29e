# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_interval:
    description:
      - Seconds between the lines that tell, while the module runs, how far it is, how fast it is going and how long it will take.
        V(0) for none. A run that is shorter than this prints none.
      - The lines go to standard error. They are shown where the module runs on the controller (C(connection=local), as for
        C(localhost)), and neither for tasks with C(no_log) nor for those in the background (C(async)).
    type: int
    default: 10
"""
