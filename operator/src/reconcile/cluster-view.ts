import { apiVersion, group, kind, type KafkaProxy, plural } from "../api/index.ts";
import { type ObservedStatefulSet, selectorLabels } from "../desired/index.ts";
import type { PodAddress } from "../facts/index.ts";
import {
  type Change,
  controllerOf,
  type KubeClient,
  type KubeObject,
  keyOf,
  type Logger,
  Reflector,
  type ResourceKind,
} from "../runtime/index.ts";
import { type OwnedKind, ownedKinds, podMonitorKind, statefulSetKind } from "./owned-kinds.ts";

/** A KafkaProxy as the API server has it: its defaults are not trusted before it was read. */
export interface RawResource extends KubeObject {
  readonly status?: KafkaProxy["status"];
}

export interface StatefulSetObject extends KubeObject, ObservedStatefulSet {
  readonly metadata: KubeObject["metadata"];
}

interface PodObject extends KubeObject {
  readonly status?: { readonly podIP?: string; readonly phase?: string };
}

export interface ClusterViewOptions {
  readonly client: KubeClient;
  /** Default: all namespaces. */
  readonly namespace: string | undefined;
  /** Something about the resource `namespace/name` has changed. */
  readonly onChange: (key: string) => void;
  /** An object that had our label is there no more. */
  readonly onGone: (object: KubeObject) => void;
  readonly logger: Logger;
}

export const resourceKind: ResourceKind = { apiVersion, kind, plural };
const podKind: ResourceKind = { apiVersion: "v1", kind: "Pod", plural: "pods" };
const ours = "app.kubernetes.io/managed-by=kafka-proxy-operator";

const idOf = ({ apiVersion, kind }: { apiVersion: string; kind: string }): string =>
  `${apiVersion}/${kind}`;

/** All that the operator follows of the cluster: the resources, what they own, and their pods. */
export class ClusterView {
  readonly resources: Reflector<RawResource>;
  readonly #owned: ReadonlyMap<string, Reflector<KubeObject>>;
  readonly #kinds: ReadonlyMap<string, OwnedKind>;
  readonly #pods: Reflector<PodObject>;

  constructor(options: ClusterViewOptions) {
    const { onChange, onGone, ...shared } = options;
    const ownerChanged = ({ before, after }: Change<KubeObject>): void => {
      if (before !== undefined && after === undefined) onGone(before);
      for (const object of [before, after]) {
        const owner = object === undefined ? undefined : controllerOf(object);
        if (owner?.kind === kind && owner.apiVersion.startsWith(`${group}/`)) {
          onChange(`${object?.metadata.namespace ?? ""}/${owner.name}`);
        }
      }
    };
    this.resources = new Reflector<RawResource>({
      ...shared,
      kind: resourceKind,
      onChange: ({ key }) => onChange(key),
    });
    this.#kinds = new Map(ownedKinds.map((one) => [idOf(one), one]));
    this.#owned = new Map(
      ownedKinds.map((one) => [
        idOf(one),
        new Reflector<KubeObject>({
          ...shared,
          kind: one,
          labelSelector: ours,
          optional: one.optional ?? false,
          onChange: ownerChanged,
          onAppeared: () => {
            for (const resource of this.resources.values()) onChange(keyOf(resource));
          },
        }),
      ]),
    );
    // A pod's readiness comes by its StatefulSet's status; here is only where it can be asked.
    this.#pods = new Reflector<PodObject>({
      ...shared,
      kind: podKind,
      labelSelector: ours,
      keep: slimPod,
      onChange: () => undefined,
    });
  }

  get #all(): readonly Pick<
    Reflector<KubeObject>,
    "start" | "close" | "synced" | "state" | "failures"
  >[] {
    return [this.resources, ...this.#owned.values(), this.#pods];
  }

  /** Resolves when everything was listed once. */
  async start(): Promise<void> {
    for (const reflector of this.#all) reflector.start();
    await Promise.all(this.#all.map((reflector) => reflector.synced()));
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((reflector) => reflector.close()));
  }

  get synced(): boolean {
    return this.#all.every(({ state }) => state === "synced");
  }

  /** PodMonitor's CRD is in the cluster. */
  get podMonitors(): boolean {
    return this.#owned.get(idOf(podMonitorKind))?.present ?? false;
  }

  kindOf(object: { apiVersion: string; kind: string }): OwnedKind {
    const found = this.#kinds.get(idOf(object));
    if (found === undefined) throw new TypeError(`${idOf(object)} is not followed`);
    return found;
  }

  /** An object with our label. */
  owned(object: { apiVersion: string; kind: string }, key: string): KubeObject | undefined {
    return this.#owned.get(idOf(object))?.get(key);
  }

  statefulSet(key: string): StatefulSetObject | undefined {
    return this.owned(statefulSetKind, key);
  }

  /** The answer to a write of ours. */
  offer(object: KubeObject): void {
    this.#owned.get(idOf(object))?.offer(object);
  }

  /** The resource's pods that have an address. */
  podsOf(resource: KafkaProxy): PodAddress[] {
    const wanted = Object.entries(selectorLabels(resource));
    const found: PodAddress[] = [];
    for (const { metadata, status } of this.#pods.values()) {
      if (metadata.namespace !== resource.metadata.namespace) continue;
      if (metadata.deletionTimestamp !== undefined || status?.phase !== "Running") continue;
      if (!wanted.every(([name, value]) => metadata.labels?.[name] === value)) continue;
      if (status.podIP !== undefined) found.push({ name: metadata.name, ip: status.podIP });
    }
    return found;
  }
}

/** A pod's specification is large, and nothing of it is looked at. */
function slimPod({ apiVersion, kind, metadata, status }: PodObject): PodObject {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, labels } = metadata;
  const { podIP, phase } = status ?? {};
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(labels !== undefined && { labels }),
    },
    status: { ...(podIP !== undefined && { podIP }), ...(phase !== undefined && { phase }) },
  };
}
