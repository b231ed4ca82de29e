# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""external-dns, as far as Services of type LoadBalancer and Azure's private zones go. No code of it is in here.

Read for its behaviour: kubernetes-sigs/external-dns 0.21 (controller, source/service, plan, registry/txt, provider/azure).
"""
