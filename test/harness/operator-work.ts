// What operators have done: told by the API server's audit log and by what is there in the end. For suites in which they are killed
// and frozen.
import { readFileSync } from "node:fs";

/** A write that an operator asked for. */
export interface AuditedWrite {
  /** Which operator, by its pod's name. */
  readonly by: string;
  readonly verb: string;
  readonly at: number;
  readonly code: number;
  readonly resource: string;
  readonly name: string;
}

interface AuditLine {
  readonly verb: string;
  readonly userAgent?: string;
  readonly requestReceivedTimestamp: string;
  readonly responseStatus?: { readonly code?: number };
  readonly objectRef?: { resource?: string; name?: string; subresource?: string };
}

const agent = "kafka-proxy-operator/";

/** Oldest first; statuses and events too, but not leases, which those who stand by write as well. */
export function operatorWrites(auditLog: string): AuditedWrite[] {
  const lines = readFileSync(auditLog, "utf8").split("\n");
  return lines
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditLine)
    .filter(({ userAgent = "" }) => userAgent.startsWith(agent))
    .filter(({ objectRef }) => objectRef?.resource !== "leases")
    .map(({ userAgent = "", verb, objectRef = {}, requestReceivedTimestamp, responseStatus }) => ({
      by: userAgent.slice(agent.length),
      verb,
      at: Date.parse(requestReceivedTimestamp),
      code: responseStatus?.code ?? 0,
      resource: [objectRef.resource, objectRef.subresource].filter(Boolean).join("/"),
      name: objectRef.name ?? "",
    }));
}

/** Who wrote, in turn: a name that is there twice wrote again after somebody else had. */
export function turnsOf(writes: readonly AuditedWrite[]): string[] {
  const writers = writes.map(({ by }) => by);
  return writers.filter((by, n) => by !== writers[n - 1]);
}

/** `resource/name` of each object of a KafkaProxy whose making was answered with 201, as often as it was. */
export function madeFor(kafkaProxy: string, writes: readonly AuditedWrite[]): string[] {
  return writes
    .filter(
      ({ name, code }) =>
        (name === kafkaProxy || name.startsWith(`${kafkaProxy}-`)) && code === 201,
    )
    .map(({ resource, name }) => `${resource}/${name}`);
}

/** The kinds that a KafkaProxy owns, as kubectl takes them. */
export const ownedKinds = "statefulset,configmap,service,serviceaccount,pdb,networkpolicy";

/** An object that a KafkaProxy owns. */
export interface Owned {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels?: unknown;
    readonly annotations?: unknown;
    readonly ownerReferences?: unknown;
  };
  readonly status?: unknown;
}

/** All that a KafkaProxy owns, without what differs from one to the next and from one moment to the next. */
export function endState(kafkaProxy: string, owned: readonly Owned[]): unknown {
  const bare = owned.map(({ metadata, status: _status, ...rest }) => {
    const { name, labels, annotations, ownerReferences } = metadata;
    return { ...rest, metadata: { name, labels, annotations, ownerReferences } };
  });
  const text = JSON.stringify(bare)
    .replaceAll(kafkaProxy, "NAME")
    // Its owner's, and hashes over its name.
    .replaceAll(/"uid":"[^"]+"/gu, '"uid":"UID"')
    .replaceAll(/-hash":"[^"]+"/gu, '-hash":"HASH"');
  return JSON.parse(text) as unknown;
}
