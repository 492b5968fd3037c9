import { apiVersion, type KafkaProxy, kind } from "../api/index.ts";
import { labels } from "./names.ts";

/** An object as it is applied. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** Which object is meant. */
export interface ObjectReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** The resource owns it: when the resource goes, so does the object. */
export function owned(
  resource: KafkaProxy,
  of: { readonly apiVersion: string; readonly kind: string; readonly name: string },
  rest: Readonly<Record<string, unknown>>,
  moreLabels: Readonly<Record<string, string>> = {},
): KubernetesObject {
  const { name, namespace, uid } = resource.metadata;
  const owner = { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true };
  return {
    apiVersion: of.apiVersion,
    kind: of.kind,
    metadata: {
      name: of.name,
      namespace,
      labels: { ...moreLabels, ...labels(resource) },
      ...(uid === undefined ? {} : { ownerReferences: [owner] }),
    },
    ...rest,
  };
}
