# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that a management SDK may have made enums of."""

from __future__ import annotations

from typing import Any


def spelling(value: Any) -> str:
    """The service's own spelling; empty for None."""
    return str(getattr(value, "value", value) or "")
