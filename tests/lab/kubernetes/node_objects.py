# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Node objects: what kubelets register."""

from __future__ import annotations

from lab.kubernetes.store import Object, now

NODE_POOL = "aks-nodepool1-12345678-vmss"
PODS_PER_VIRTUAL_NODE = 200
VERSION = "v1.34.0"
# The chart brings a kubelet of its own, which keeps to the cluster's minor version.
VIRTUAL_VERSION = "v1.34.6"
_VM_CAPACITY = {"cpu": "4", "memory": "16Gi", "pods": "110"}


def ordinary_node(number: int) -> Object:
    """A virtual machine of the node pool."""
    labels = {
        "agentpool": "nodepool1",
        "kubernetes.azure.com/agentpool": "nodepool1",
        "kubernetes.azure.com/mode": "system",
        "kubernetes.azure.com/role": "agent",
        "node.kubernetes.io/instance-type": "Standard_D4s_v5",
    }
    node = _node(f"{NODE_POOL}{number:06}", labels, [], f"10.224.0.{number + 4}", _VM_CAPACITY, VERSION)
    scale_set = "/subscriptions/0/resourceGroups/mc_lab/providers/Microsoft.Compute/virtualMachineScaleSets"
    node["spec"]["providerID"] = f"azure://{scale_set}/aks-nodepool1-12345678-vmss/virtualMachines/{number}"
    return node


def virtual_node(name: str, address: str) -> Object:
    """As the kubelet in the infrastructure pod registers it, by the name of that pod."""
    taints = [{"key": "virtual-kubelet.io/provider", "value": "azure", "effect": "NoSchedule"}]
    capacity = {"cpu": "10000", "memory": "4Ti", "pods": str(PODS_PER_VIRTUAL_NODE)}
    return _node(name, {"virtualization": "virtualnode2"}, taints, address, capacity, VIRTUAL_VERSION)


def _node(
    name: str, labels: Object, taints: list[Object], address: str, capacity: dict[str, str], version: str
) -> Object:
    common = {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "kubernetes.io/hostname": name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**common, **labels}},
        "spec": {"taints": taints} if taints else {},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": conditions(),
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": "",
                "containerRuntimeVersion": "containerd://2.0.0",
                "kernelVersion": "6.8.0-azure",
                "kubeProxyVersion": "",
                "kubeletVersion": version,
                "machineID": "",
                "operatingSystem": "linux",
                "osImage": "Ubuntu 24.04 LTS",
                "systemUUID": "",
            },
        },
    }


def conditions() -> list[Object]:
    """Of a node that is well."""
    wrong = ("MemoryPressure", "DiskPressure", "PIDPressure")
    conditions = [(each, "False", f"KubeletHasNo{each}", f"kubelet has no {each}") for each in wrong]
    conditions.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    return [
        {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": now(),
            "lastTransitionTime": now(),
        }
        for type_, status, reason, message in conditions
    ]
