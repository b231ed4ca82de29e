# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python tests/demo`, which `make demo` runs."""

from __future__ import annotations

import sys
from pathlib import Path


def main() -> int:
    # The directory tests/, where the packages demo, harness and lab are.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from demo.story import perform

    return perform()


if __name__ == "__main__":
    sys.exit(main())
