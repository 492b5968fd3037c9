/** What must hold between keys. Each rule looks only at values that are valid by themselves. */
import type { ConfigProblem } from "./config-error.ts";
import { maxFrameBytes, type ValueOf } from "./derived.ts";

type Problem = Omit<ConfigProblem, "line">;
type Rule = (value: ValueOf, has: (key: string) => boolean) => Problem | undefined;

const number = (value: unknown): number => (typeof value === "number" ? value : Number.NaN);

/** `key` is at most `factor` times `other`. Anything unknown passes. */
function atMost(key: string, other: string, factor: number, why: string): Rule {
  return (value) => {
    const [mine, theirs] = [number(value(key)), number(value(other)) * factor];
    if (!(mine > theirs)) return undefined;
    const limit = factor === 1 ? other : `${factor} of ${other}`;
    return { key, found: String(mine), allowed: `at most ${theirs}, ${limit}: ${why}` };
  };
}

/** Both or neither. */
function together(one: string, other: string): Rule {
  return (_, has) => {
    if (has(one) === has(other)) return undefined;
    const [given, missing] = has(one) ? [one, other] : [other, one];
    return { key: missing, found: "nothing", allowed: `a value, because ${given} has one` };
  };
}

/** A log-in has exactly one source of its password. */
function password(section: string, variable: string): Rule {
  return (value, has) => {
    if (!has(section)) return undefined;
    const [key, file] = [`${section}.password`, `${section}.passwordFile`];
    if (has(key) && has(file)) {
      return { key, found: `a value here and in ${file}`, allowed: "one of the two" };
    }
    if (has(key) || has(file) || value(variable) !== undefined) return undefined;
    return { key, found: "nothing", allowed: `a value here, in ${file} or in ${variable}` };
  };
}

/** By name: the operator's resource has the same rules, and a test compares the names. */
export const rules: Readonly<Record<string, Rule>> = {
  requestTimeout: atMost(
    "kafka.requestTimeout",
    "kafka.sessionTimeout",
    0.5,
    "a broker that hangs must not cost the session",
  ),
  heartbeatInterval: atMost(
    "kafka.heartbeatInterval",
    "kafka.sessionTimeout",
    0.3,
    "a heartbeat or two may be lost without harm",
  ),
  fetchWait: atMost(
    "kafka.fetchWait",
    "kafka.requestTimeout",
    0.5,
    "a fetch that waits must not look like a broker that hangs",
  ),
  ackTimeout: atMost(
    "delivery.ackTimeout",
    "delivery.maxProcessingTime",
    1,
    "a lease is no longer than its renewals",
  ),
  backoff: atMost("delivery.backoff.initial", "delivery.backoff.max", 1, "pauses only grow"),
  frameFitsOutbound: atMost(
    "listener.maxFrameBytes",
    "listener.maxOutboundBytes",
    0.5,
    "room for a frame is set aside, and others must be able to wait beside it",
  ),
  frameHoldsPull: (value) => {
    const [frame, pull] = [number(value("listener.maxFrameBytes")), number(value("pull.maxBytes"))];
    if (!(frame < maxFrameBytes(pull))) return undefined;
    const allowed = `at least ${maxFrameBytes(pull)}: pull.maxBytes and 64 KiB`;
    return { key: "listener.maxFrameBytes", found: String(frame), allowed };
  },
  deadLetterTopicDiffers: (value) => {
    if (value("deadLetter.topic") === undefined || value("deadLetter.topic") !== value("topic")) {
      return undefined;
    }
    const allowed = "another topic than the one that is read";
    return { key: "deadLetter.topic", found: JSON.stringify(value("topic")), allowed };
  },
  deadLetterTopicLength: (value) => {
    const topic = value("deadLetter.topic");
    if (typeof topic !== "string" || topic.length <= 249) return undefined;
    const allowed = "a name of its own: with -dlq the topic's is longer than 249 characters";
    return { key: "deadLetter.topic", found: "nothing", allowed };
  },
  kafkaClientCertificate: together("kafka.tls.certFile", "kafka.tls.keyFile"),
  kafkaPassword: password("kafka.sasl", "KAFKAPROXY_KAFKA_SASL_PASSWORD"),
  zooKeeperPassword: password("zookeeper.auth", "KAFKAPROXY_ZOOKEEPER_PASSWORD"),
};

export const ruleNames: readonly string[] = Object.keys(rules);
