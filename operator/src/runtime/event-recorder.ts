import { hash } from "node:crypto";
import type { KubeClient } from "./kube-client.ts";
import { isKubeError } from "./kube-error.ts";
import { type KubeObject, pathOf } from "./kube-object.ts";
import type { Logger } from "./logger.ts";

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Who says it: shown as the event's source. */
  readonly component: string;
  readonly logger: Logger;
}

export interface EventToRecord {
  readonly type: "Normal" | "Warning";
  /** CamelCase. */
  readonly reason: string;
  readonly message: string;
}

interface CoreEvent extends KubeObject {
  readonly count?: number;
}

const eventKind = { apiVersion: "v1", kind: "Event", plural: "events" };
/** The API server's limit. */
const maxMessageLength = 1_024;

/** Events for people: `kubectl describe` shows them. The same said again is one event with a count. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Never throws: an event is not worth a failed reconcile. */
  async record(about: KubeObject, event: EventToRecord, signal?: AbortSignal): Promise<void> {
    const { client, component, logger } = this.#options;
    const { namespace = "default", name, uid } = about.metadata;
    const message = event.message.slice(0, maxMessageLength);
    const same = hash("sha256", JSON.stringify([uid, event.type, event.reason, message]), "hex");
    const eventName = `${name.slice(0, 230)}.${same.slice(0, 16)}`;
    const now = new Date().toISOString().replace(/\.\d+Z$/u, "Z");
    try {
      await client.request("POST", pathOf(eventKind, namespace), {
        body: {
          apiVersion: eventKind.apiVersion,
          kind: eventKind.kind,
          metadata: { namespace, name: eventName },
          involvedObject: {
            apiVersion: about.apiVersion,
            kind: about.kind,
            namespace,
            name,
            uid,
            resourceVersion: about.metadata.resourceVersion,
          },
          ...event,
          message,
          count: 1,
          firstTimestamp: now,
          lastTimestamp: now,
          source: { component },
          reportingComponent: component,
        },
        signal,
      });
    } catch (error) {
      if (isKubeError(error, "conflict")) await this.#again(namespace, eventName, now, signal);
      else logger.warn({ reason: event.reason, err: error }, "event: not recorded");
    }
  }

  async #again(namespace: string, name: string, now: string, signal?: AbortSignal): Promise<void> {
    const { client, logger } = this.#options;
    const path = pathOf(eventKind, namespace, name);
    try {
      const { count = 1 } = await client.request<CoreEvent>("GET", path, { signal });
      await client.request("PATCH", path, {
        contentType: "application/merge-patch+json",
        body: { count: count + 1, lastTimestamp: now },
        signal,
      });
    } catch (error) {
      logger.warn({ event: name, err: error }, "event: not counted");
    }
  }
}
