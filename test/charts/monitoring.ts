// The Prometheus operator's kinds, as far as a server must know them to take one.

function definition(kind: string, plural: string) {
  const schema = {
    openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: "monitoring.coreos.com",
      scope: "Namespaced",
      names: { kind, plural, listKind: `${kind}List`, singular: kind.toLowerCase() },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}

export const podMonitorCrd = definition("PodMonitor", "podmonitors");

export const monitoringCrds = [podMonitorCrd, definition("PrometheusRule", "prometheusrules")];
