import { type KafkaProxy, secretReferences } from "../api/index.ts";
import type { Facts } from "./facts.ts";
import {
  configHashAnnotation,
  labels,
  names,
  secretsHashAnnotation,
  selectorLabels,
} from "./names.ts";
import { type KubernetesObject, owned } from "./object.ts";
import { configFile, configFolder, type ProxyConfigFile, secretsFolder } from "./proxy-config.ts";

/** Any user but root: the image needs none of its own. */
const user = 65_532;

const defaultRequests = { cpu: "100m", memory: "256Mi" };

/** The StatefulSet. The hash of `config` is what rolls its pods. */
export function statefulSet(
  resource: KafkaProxy,
  facts: Facts,
  replicas: number,
  config: ProxyConfigFile,
): KubernetesObject {
  const own = names(resource);
  const { pod } = resource.spec;
  const template = {
    metadata: {
      labels: { ...pod.labels, ...labels(resource) },
      annotations: {
        ...pod.annotations,
        [configHashAnnotation]: config.hash,
        ...(facts.secrets.hash === "" ? {} : { [secretsHashAnnotation]: facts.secrets.hash }),
      },
    },
    spec: podSpec(resource, facts, config),
  };
  return owned(
    resource,
    { apiVersion: "apps/v1", kind: "StatefulSet", name: own.statefulSet },
    {
      spec: {
        replicas,
        serviceName: own.service,
        // Proxies need not wait for each other to start or to go; a rollout goes one by one all the same.
        podManagementPolicy: "Parallel",
        updateStrategy: { type: "RollingUpdate" },
        revisionHistoryLimit: 3,
        selector: { matchLabels: selectorLabels(resource) },
        template,
      },
    },
  );
}

function podSpec(
  resource: KafkaProxy,
  facts: Facts,
  { terminationMs }: ProxyConfigFile,
): Record<string, unknown> {
  const { pod } = resource.spec;
  const { nodeSelector, tolerations, affinity, priorityClassName, imagePullSecrets } = pod;
  const secrets = secretVolume(resource);
  return {
    serviceAccountName: names(resource).serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: Math.ceil(terminationMs / 1_000),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      seccompProfile: { type: "RuntimeDefault" },
    },
    topologySpreadConstraints: pod.topologySpreadConstraints ?? [overNodes(resource)],
    ...given({ nodeSelector, tolerations, affinity, priorityClassName, imagePullSecrets }),
    containers: [container(resource, facts, secrets !== undefined)],
    volumes: [
      { name: "config", configMap: { name: names(resource).proxyConfig } },
      ...(secrets === undefined ? [] : [secrets]),
    ],
  };
}

const probe = (path: string, more: Readonly<Record<string, number>>) => ({
  httpGet: { path, port: "admin" },
  timeoutSeconds: 5,
  ...more,
});

function container(
  resource: KafkaProxy,
  facts: Facts,
  hasSecrets: boolean,
): Record<string, unknown> {
  const { pod, listener, admin } = resource.spec;
  return {
    name: "proxy",
    image: facts.image,
    ...given({ imagePullPolicy: facts.imagePullPolicy }),
    env: environment(pod.env ?? []),
    args: ["serve", "--config", `${configFolder}/${configFile}`],
    ports: [
      { name: "workers", containerPort: listener.port, protocol: "TCP" },
      { name: "admin", containerPort: admin.port, protocol: "TCP" },
    ],
    resources: {
      requests: { ...defaultRequests, ...pod.resources.requests },
      ...given({ limits: pod.resources.limits }),
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    livenessProbe: probe("/healthz", { periodSeconds: 10, failureThreshold: 6 }),
    readinessProbe: probe("/readyz", { periodSeconds: 2, failureThreshold: 2 }),
    volumeMounts: [
      { name: "config", mountPath: configFolder, readOnly: true },
      ...(hasSecrets ? [{ name: "secrets", mountPath: secretsFolder, readOnly: true }] : []),
    ],
  };
}

const fromPod = (name: string, fieldPath: string) => ({
  name,
  valueFrom: { fieldRef: { fieldPath } },
});

/** Where the pod runs, which the proxy tells those that look it up; what the user gives goes before it. */
function environment(users: NonNullable<KafkaProxy["spec"]["pod"]["env"]>): unknown[] {
  const ours = [
    fromPod("KAFKAPROXY_POD", "metadata.name"),
    // Empty where Kubernetes does not copy the label from the node.
    fromPod("KAFKAPROXY_ZONE", "metadata.labels['topology.kubernetes.io/zone']"),
  ];
  const theirs = new Set(users.map(({ name }) => name));
  return [...ours.filter(({ name }) => !theirs.has(name)), ...users];
}

/** All values from Secrets, each as the file that the configuration names; undefined without any. */
function secretVolume({ spec }: KafkaProxy): Record<string, unknown> | undefined {
  const references = secretReferences(spec);
  if (references.length === 0) return undefined;
  const sources = references.map(({ secret, key, file }) => ({
    secret: { name: secret, items: [{ key, path: file }] },
  }));
  return { name: "secrets", projected: { defaultMode: 0o440, sources } };
}

const overNodes = (resource: KafkaProxy): Record<string, unknown> => ({
  maxSkew: 1,
  topologyKey: "kubernetes.io/hostname",
  whenUnsatisfiable: "ScheduleAnyway",
  labelSelector: { matchLabels: selectorLabels(resource) },
});

/** Without what is undefined. */
function given(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
