# Copyright: (c) 2026, aks.virtual_nodes contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a managed cluster as AKS answers it, with more settings than the collection manages.

Shape: the REST reference of 2026-08-01 and what C(az aks show) prints of clusters with add-ons.
"""

from __future__ import annotations

import uuid

from lab.cloud import Body
from lab.scenario import Scenario

KUBERNETES_VERSION = "1.34.2"


def cluster_body(scenario: Scenario, resource_uid: str) -> Body:
    name, group, location = scenario.cluster_name, scenario.resource_group, scenario.location
    node_group = f"MC_{group}_{name}_{location}"
    subscription = f"/subscriptions/{scenario.subscription_id}"
    network = f"{scenario.network_id}/subnets"
    kubelet = f"{subscription}/resourcegroups/{node_group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    fqdn = f"{name}-dns-{resource_uid[:8]}.hcp.{location}.azmk8s.io"
    return {
        "id": scenario.cluster_id.replace("/resourceGroups/", "/resourcegroups/"),
        "name": name,
        "type": "Microsoft.ContainerService/ManagedClusters",
        "location": location,
        "tags": {"cost-center": "4711", "owner": "platform"},
        "eTag": str(uuid.uuid4()),
        "kind": "Base",
        "sku": {"name": "Base", "tier": "Standard"},
        "identity": {
            "type": "SystemAssigned",
            "principalId": str(uuid.uuid4()),
            "tenantId": scenario.tenant_id,
        },
        "properties": {
            "provisioningState": "Succeeded",
            "powerState": {"code": "Running"},
            "kubernetesVersion": "1.34",
            "currentKubernetesVersion": KUBERNETES_VERSION,
            "dnsPrefix": f"{name}-dns",
            "fqdn": fqdn,
            "azurePortalFQDN": fqdn.replace(".hcp.", ".portal.hcp."),
            "agentPoolProfiles": [
                {
                    "name": "nodepool1",
                    "count": 3,
                    "vmSize": "Standard_D8ds_v5",
                    "osDiskSizeGB": 128,
                    "osDiskType": "Ephemeral",
                    "kubeletDiskType": "OS",
                    "vnetSubnetID": f"{network}/aks",
                    "maxPods": 110,
                    "type": "VirtualMachineScaleSets",
                    "availabilityZones": ["1", "2", "3"],
                    "enableAutoScaling": True,
                    "minCount": 3,
                    "maxCount": 12,
                    "provisioningState": "Succeeded",
                    "powerState": {"code": "Running"},
                    "orchestratorVersion": "1.34",
                    "currentOrchestratorVersion": KUBERNETES_VERSION,
                    "nodeLabels": {"team": "platform"},
                    "nodeTaints": [],
                    "mode": "System",
                    "osType": "Linux",
                    "osSKU": "AzureLinux",
                    "nodeImageVersion": "AKSAzureLinux-V3gen2-202610.19.0",
                    "upgradeSettings": {"maxSurge": "33%", "drainTimeoutInMinutes": 45},
                    "enableFIPS": False,
                    "securityProfile": {"enableVTPM": False, "enableSecureBoot": False},
                }
            ],
            "servicePrincipalProfile": {"clientId": "msi"},
            "addonProfiles": {
                "azureKeyvaultSecretsProvider": {
                    "enabled": True,
                    "config": {"enableSecretRotation": "true", "rotationPollInterval": "5m"},
                },
                "azurepolicy": {"enabled": True, "config": None},
            },
            "nodeResourceGroup": node_group,
            "enableRBAC": True,
            "supportPlan": "KubernetesOfficial",
            "networkProfile": {
                "networkPlugin": "azure",
                "networkPolicy": "none",
                "networkDataplane": "azure",
                "loadBalancerSku": "standard",
                "loadBalancerProfile": {
                    "managedOutboundIPs": {"count": 2},
                    "allocatedOutboundPorts": 4000,
                    "idleTimeoutInMinutes": 10,
                    "backendPoolType": "nodeIPConfiguration",
                },
                "serviceCidr": "10.0.0.0/16",
                "dnsServiceIP": "10.0.0.10",
                "outboundType": "loadBalancer",
                "serviceCidrs": ["10.0.0.0/16"],
                "ipFamilies": ["IPv4"],
            },
            "aadProfile": {"managed": True, "enableAzureRBAC": False, "adminGroupObjectIDs": [str(uuid.uuid4())]},
            "maxAgentPools": 100,
            "apiServerAccessProfile": {"enablePrivateCluster": False},
            "identityProfile": {
                "kubeletidentity": {
                    "resourceId": f"{kubelet}/{name}-agentpool",
                    "clientId": str(uuid.uuid4()),
                    "objectId": str(uuid.uuid4()),
                }
            },
            "autoScalerProfile": {
                "balance-similar-node-groups": "true",
                "expander": "least-waste",
                "max-graceful-termination-sec": "600",
                "scan-interval": "20s",
            },
            "autoUpgradeProfile": {"upgradeChannel": "patch", "nodeOSUpgradeChannel": "NodeImage"},
            "disableLocalAccounts": False,
            "securityProfile": {
                "imageCleaner": {"enabled": True, "intervalHours": 48},
                "defender": {"securityMonitoring": {"enabled": True}},
            },
            "storageProfile": {
                "diskCSIDriver": {"enabled": True},
                "fileCSIDriver": {"enabled": True},
                "snapshotController": {"enabled": True},
                "blobCSIDriver": {"enabled": True},
            },
            "oidcIssuerProfile": {"enabled": False},
            "workloadAutoScalerProfile": {"keda": {"enabled": True}},
            "azureMonitorProfile": {
                "metrics": {"enabled": True, "kubeStateMetrics": {"metricLabelsAllowlist": "*"}},
            },
            "resourceUID": resource_uid,
            "metricsProfile": {"costAnalysis": {"enabled": True}},
            "bootstrapProfile": {"artifactSource": "Direct"},
            # Newer than the SDK of the day: a client that drops what it does not know would lose it.
            "futureProfile": {"someSetting": {"enabled": True, "values": [1, 2, 3]}},
        },
    }
