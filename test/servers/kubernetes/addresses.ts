// The one node's network. Benchmarking's range (RFC 2544): no machine and no home network has it.

/** Of the bridge: the node, the gateway of its pods, the API server and the DNS server. */
export const bridgeAddress = "198.18.0.1";
export const podRange = "198.18.0.0/24";
export const serviceRange = "198.19.0.0/16";
/** The first of the services' range is always the service `kubernetes`. */
export const kubernetesServiceAddress = "198.19.0.1";
export const clusterDomain = "cluster.local";
export const nodeName = "node";
