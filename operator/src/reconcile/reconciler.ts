import { ConfigError } from "@kafkaproxy/proxy";
import {
  apiVersion,
  kind,
  type KafkaProxy,
  type KafkaProxyStatus,
  type Problem,
  readResource,
  ResourceError,
} from "../api/index.ts";
import {
  type Desired,
  desired,
  type Facts,
  type KubernetesObject,
  names,
  refusedStatus,
  replicasOf,
  statusOf,
} from "../desired/index.ts";
import type { ResourceFacts } from "../facts/index.ts";
import {
  Applier,
  controllerOf,
  EventRecorder,
  isKubeError,
  type KubeClient,
  type KubeObject,
  keyOf,
  type KubeError,
  type Logger,
  type OwnerReference,
  pathOf,
  type ResourceKind,
} from "../runtime/index.ts";
import {
  type ClusterView,
  type RawResource,
  resourceKind,
  type StatefulSetObject,
} from "./cluster-view.ts";
import { eventsOf, type ScaleStep } from "./events.ts";

export interface ReconcilerOptions {
  /** Refuses to write when we do not lead. */
  readonly client: KubeClient;
  readonly view: ClusterView;
  /** What is known of the resource's surroundings; undefined until they were looked at once. */
  readonly factsOf: (resource: KafkaProxy) => ResourceFacts | undefined;
  /** The proxies' image. */
  readonly image: string;
  readonly imagePullPolicy: Facts["imagePullPolicy"];
  readonly signal: AbortSignal;
}

/** `again`: something did not work; it is to be tried again later. */
export type Outcome = "done" | "waiting" | "again";

interface ApplyOutcome {
  readonly result: "applied" | "not-yet";
  /** Why not yet, where somebody has to do something about it. */
  readonly problem?: Problem;
  /** What was there before. */
  readonly before?: KubeObject | undefined;
}

export const fieldManager = "kafka-proxy-operator";

/** Brings what a resource owns and its status to what they should be. Writes nothing when all is so. */
export class Reconciler {
  readonly #options: ReconcilerOptions;
  readonly #applier: Applier;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
    this.#applier = new Applier({ client: options.client, fieldManager });
  }

  /** @throws KubeError when the API server can't be asked; nothing is lost by doing it again. */
  async reconcile(raw: RawResource, logger: Logger): Promise<Outcome> {
    const resource = read(raw);
    if (resource instanceof ResourceError) {
      const status = refusedStatus(raw, resource.problems, Date.now());
      await this.#tell(raw, status, { changed: status !== raw.status }, logger);
      return "done";
    }
    const seen = this.#options.factsOf(resource);
    if (seen === undefined) return "waiting";
    const key = keyOf(raw);
    const { view, image, imagePullPolicy } = this.#options;
    const facts: Facts = {
      image,
      ...(imagePullPolicy !== undefined && { imagePullPolicy }),
      partitions: seen.partitions,
      running: view.statefulSet(key)?.spec?.replicas,
      secrets: seen.secrets,
      podMonitors: view.podMonitors,
    };
    const problems: Problem[] = [...seen.problems];
    if (resource.spec.podMonitor.enabled && !view.podMonitors) {
      const found = "spec.podMonitor.enabled is true, and the cluster does not know PodMonitor";
      problems.push({ reason: "PodMonitorUnavailable", found });
    }
    const plan = planOf(resource, facts, problems);
    let step: ScaleStep | undefined;
    let again = false;
    let podsHaveAll = true;
    for (const object of plan?.objects ?? []) {
      // Pods would start, or be rolled, with what is somebody else's or of yesterday, and keep it.
      if (object.kind === "StatefulSet" && !podsHaveAll) continue;
      const { result, problem, before } = await this.#apply(resource, object, logger);
      if (problem !== undefined) problems.push(problem);
      if (result === "not-yet") {
        again = true;
        podsHaveAll &&= !isForPods(resource, object);
      } else if (object.kind === "StatefulSet") step = stepOf(before, view.statefulSet(key));
    }
    await this.#remove(resource, plan?.absent ?? [], logger);
    const status = statusOf(resource, plan?.replicas ?? replicasOf(resource, facts), {
      now: Date.now(),
      statefulSet: view.statefulSet(key),
      problems,
      lag: seen.lag,
      deadLetters: seen.deadLetters,
    });
    await this.#tell(raw, status, { changed: status !== resource.status, step }, logger);
    return again ? "again" : "done";
  }

  /** The object is there no more: what is known of it is of no use. */
  forget(object: KubeObject): void {
    this.#applier.forget(this.#options.view.kindOf(object), object.metadata);
  }

  async #apply(
    resource: KafkaProxy,
    object: KubernetesObject,
    logger: Logger,
  ): Promise<ApplyOutcome> {
    const { view, signal } = this.#options;
    const kind = view.kindOf(object);
    const what = `${object.kind} ${keyOf(object)}`;
    try {
      const live = view.owned(object, keyOf(object));
      // Without our label it is not followed, and may be there all the same: somebody's, or ours with its label gone.
      const there = live ?? (await this.#lookUp(kind, object.metadata));
      const owner = there === undefined ? undefined : controllerOf(there);
      // It goes by itself, with the KafkaProxy that had this name before.
      if (owner !== undefined && predecessorOf(resource, owner)) return { result: "not-yet" };
      if (owner === undefined ? there !== live : owner.uid !== resource.metadata.uid) {
        const whose =
          owner === undefined ? "is not ours" : `belongs to ${owner.kind} ${owner.name}`;
        const found = `${what} is there already and ${whose}`;
        return { result: "not-yet", problem: { reason: "NameTaken", found } };
      }
      const applied = await this.#applier.apply<KubeObject>(kind, object, there, { signal });
      if (applied.result !== "unchanged") {
        view.offer(applied.object);
        logger.info({ object: what }, applied.result === "created" ? "created" : "changed");
      }
      return { result: "applied", before: there };
    } catch (error) {
      if (!isRefusal(error)) throw error;
      logger.warn({ object: what, err: error }, "the API server does not take the object");
      const found = `${what}: ${error.message}`;
      return { result: "not-yet", problem: { reason: "ApplyRefused", found } };
    }
  }

  async #lookUp(kind: ResourceKind, metadata: KubeObject["metadata"]) {
    const path = pathOf(kind, metadata.namespace, metadata.name);
    const { client, signal } = this.#options;
    try {
      return await client.request<KubeObject>("GET", path, { signal });
    } catch (error) {
      if (isKubeError(error, "not-found")) return undefined;
      throw error;
    }
  }

  async #remove(resource: KafkaProxy, absent: Desired["absent"], logger: Logger): Promise<void> {
    const { view, signal } = this.#options;
    for (const reference of absent) {
      const live = view.owned(reference, `${reference.namespace}/${reference.name}`);
      if (live === undefined || live.metadata.deletionTimestamp !== undefined) continue;
      if (controllerOf(live)?.uid !== resource.metadata.uid) continue;
      if (await this.#applier.remove(view.kindOf(reference), live, signal)) {
        logger.info({ object: `${reference.kind} ${keyOf(live)}` }, "removed");
      }
    }
  }

  /** Writes the status if it is another one, and says what is new. */
  async #tell(
    raw: RawResource,
    status: KafkaProxyStatus,
    { changed, step }: { readonly changed: boolean; readonly step?: ScaleStep | undefined },
    logger: Logger,
  ): Promise<void> {
    const { client, view, signal } = this.#options;
    const events = eventsOf(raw.status, status, step);
    if (changed) {
      const { namespace, name } = raw.metadata;
      const path = pathOf(resourceKind, namespace, name, "status");
      const written = await client.request<RawResource>("PATCH", path, {
        query: { fieldManager, force: true },
        contentType: "application/apply-patch+yaml",
        body: { apiVersion, kind, metadata: { namespace, name, uid: raw.metadata.uid }, status },
        signal,
      });
      view.resources.offer(written);
    }
    const recorder = new EventRecorder({ client, component: fieldManager, logger });
    for (const event of events) {
      logger.info({ reason: event.reason }, event.message);
      await recorder.record(raw, event, signal);
    }
  }
}

/** Taken by the API server under another version of the CRD, it may say what we can't do: only who wrote it can change it. */
function read(raw: RawResource): KafkaProxy | ResourceError {
  try {
    return readResource(raw);
  } catch (error) {
    if (error instanceof ResourceError) return error;
    throw error;
  }
}

/** Pods do not start without it, or read it when they start. */
function isForPods(resource: KafkaProxy, { kind, metadata }: KubernetesObject): boolean {
  const { proxyConfig } = names(resource);
  return kind === "ServiceAccount" || (kind === "ConfigMap" && metadata.name === proxyConfig);
}

/** It had the resource's name before it. */
function predecessorOf({ metadata }: KafkaProxy, owner: OwnerReference): boolean {
  return owner.kind === kind && owner.name === metadata.name && owner.uid !== metadata.uid;
}

function planOf(resource: KafkaProxy, facts: Facts, problems: Problem[]): Desired | undefined {
  try {
    return desired(resource, facts);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    problems.push({ reason: "SpecRefused", found: error.message });
    return undefined;
  }
}

/**
 * The API server has said no to this object, and others may still be taken. A server-side apply of a field
 * that does not exist, such as a misspelt one inside spec.pod.affinity, is answered with 500.
 */
function isRefusal(error: unknown): error is KubeError {
  if (isKubeError(error, "server-error")) return error.status === 500;
  return isKubeError(error, "invalid", "conflict", "forbidden");
}

function stepOf(
  before: StatefulSetObject | undefined,
  after: StatefulSetObject | undefined,
): ScaleStep | undefined {
  const to = after?.spec?.replicas;
  if (to === undefined) return undefined;
  const from = before?.spec?.replicas;
  return from === to ? undefined : { from, to };
}
