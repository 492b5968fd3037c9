import { hash } from "node:crypto";
import type { KubeClient } from "./kube-client.ts";
import { isKubeError } from "./kube-error.ts";
import { type KubeObject, pathOf, type ResourceKind } from "./kube-object.ts";
import { project } from "./projection.ts";

export interface ApplierOptions {
  readonly client: KubeClient;
  /** The one name under which all our fields are ours. */
  readonly fieldManager: string;
}

export interface ApplyOptions {
  readonly signal?: AbortSignal;
}

export type ApplyResult = "created" | "changed" | "unchanged";

export interface Applied<T> {
  readonly result: ApplyResult;
  /** As the API server has it now. */
  readonly object: T;
}

interface Known {
  readonly uid: string | undefined;
  readonly desired: string;
  readonly projection: string;
}

const applyPatch = "application/apply-patch+yaml";

/**
 * Server-side apply that asks nothing when nothing changed. It remembers what it applied and how the
 * server wrote that down; an object is applied again when we want something else, when somebody
 * changed a field of ours, and once after a start, which the server answers without a write if all
 * is as it should be. Fields that another manager has set to something else are taken over.
 */
export class Applier {
  readonly #client: KubeClient;
  readonly #fieldManager: string;
  readonly #known = new Map<string, Known>();

  constructor(options: ApplierOptions) {
    this.#client = options.client;
    this.#fieldManager = options.fieldManager;
  }

  /** @throws KubeError. */
  async apply<T extends KubeObject>(
    kind: ResourceKind,
    desired: T,
    live: T | undefined,
    options: ApplyOptions = {},
  ): Promise<Applied<T>> {
    const { namespace, name } = desired.metadata;
    const path = pathOf(kind, namespace, name);
    const wanted = digest(desired);
    const known = this.#known.get(path);
    if (
      live !== undefined &&
      known?.desired === wanted &&
      known.uid === live.metadata.uid &&
      known.projection === digest(project(live, desired))
    ) {
      return { result: "unchanged", object: live };
    }
    const object = await this.#client.request<T>("PATCH", path, {
      query: { fieldManager: this.#fieldManager, force: true },
      contentType: applyPatch,
      body: desired,
      signal: options.signal,
    });
    this.#known.set(path, {
      uid: object.metadata.uid,
      desired: wanted,
      projection: digest(project(object, desired)),
    });
    return { result: resultOf(live, object), object };
  }

  /** Removes an object of ours, and only the one that was seen. True if it was there. */
  async remove(kind: ResourceKind, live: KubeObject, signal?: AbortSignal): Promise<boolean> {
    const { namespace, name, uid } = live.metadata;
    const path = pathOf(kind, namespace, name);
    this.#known.delete(path);
    try {
      await this.#client.request("DELETE", path, {
        body: { preconditions: { uid }, propagationPolicy: "Background" },
        signal,
      });
      return true;
    } catch (error) {
      // Gone already, or another of that name stands there, which is not ours to remove.
      if (isKubeError(error, "not-found", "conflict")) return false;
      throw error;
    }
  }

  /** The object is gone, or no longer ours to apply. */
  forget(kind: ResourceKind, { namespace, name }: KubeObject["metadata"]): void {
    this.#known.delete(pathOf(kind, namespace, name));
  }
}

function resultOf(live: KubeObject | undefined, object: KubeObject): ApplyResult {
  if (live?.metadata.uid !== object.metadata.uid) return "created";
  return live?.metadata.resourceVersion === object.metadata.resourceVersion
    ? "unchanged"
    : "changed";
}

function digest(value: unknown): string {
  return hash("sha256", JSON.stringify(value), "base64");
}
