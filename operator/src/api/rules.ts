/** What must hold between fields, in CEL: the proxy's own rules (proxy/src/config/rules.ts) as a resource has them. */
import { type CelRule, durationForm, sizeForm } from "./kinds.ts";

/** A rule, and the field that it is about, below where the rule stands. */
export interface FieldRule extends CelRule {
  readonly fieldPath: string;
}

const ms = (path: string): string => `duration(self.${path}).getMilliseconds()`;

/** A value that is wrong by itself is told by its own rule alone. */
const unreadable = (...paths: string[]): string =>
  paths.map((path) => `!self.${path}.matches(r'${durationForm}')`).join(" || ");

/** Not there, or in a section that is not: the section's own default, {}, is checked before its fields' defaults are in. */
const absent = (path: string): string => {
  const parts = path.split(".");
  return parts.map((_, depth) => `!has(self.${parts.slice(0, depth + 1).join(".")})`).join(" || ");
};

/** `field` is at most `share` (such as "1/2") of `other`; one without a default may be absent. */
function atMost(field: string, share: string, other: string, why: string): FieldRule {
  const [times, part] = share.split("/");
  const limit = share === "1/1" ? other : `${share} of ${other}`;
  return {
    rule: `${absent(field)} || ${unreadable(field, other)} || ${ms(field)} * ${part} <= ${ms(other)} * ${times}`,
    message: `must be at most ${limit}: ${why}`,
    fieldPath: `.${field}`,
  };
}

/** On `spec.kafka`. */
export const kafkaRules: readonly FieldRule[] = [
  atMost(
    "requestTimeout",
    "1/2",
    "sessionTimeout",
    "a broker that hangs must not cost the session",
  ),
  atMost(
    "heartbeatInterval",
    "3/10",
    "sessionTimeout",
    "a heartbeat or two may be lost without harm",
  ),
  {
    rule: `${unreadable("fetchWait", "sessionTimeout")} || (has(self.requestTimeout) ? ${unreadable("requestTimeout")} || ${ms("fetchWait")} * 2 <= ${ms("requestTimeout")} : ${ms("fetchWait")} * 2 <= ${ms("sessionTimeout")} * 2 / 5)`,
    message:
      "must be at most 1/2 of requestTimeout, which is 2/5 of sessionTimeout unless it is given: a fetch that waits must not look like a broker that hangs",
    fieldPath: ".fetchWait",
  },
];

/** On `spec.delivery`. */
export const deliveryRules: readonly FieldRule[] = [
  atMost("ackTimeout", "1/1", "maxProcessingTime", "a lease is no longer than its renewals"),
  atMost("backoff.initial", "1/1", "backoff.max", "pauses only grow"),
];

const frame = "listener.maxFrameBytes";
const outbound = "listener.maxOutboundBytes";
const pull = "pull.maxBytes";

const unreadableSize = (...paths: string[]): string =>
  paths.map((path) => `!string(self.${path}).matches(r'${sizeForm}')`).join(" || ");
const bytes = (path: string): string => `quantity(string(self.${path}))`;
/** What a frame holds beside a pull's messages: 64Ki. */
const wholePull = `${bytes(pull)}.add(65536)`;

export const otherPort = "must be another port than listener.port";

/** On `spec`. */
export const specRules: readonly FieldRule[] = [
  {
    rule: `!has(self.${frame}) || ${unreadableSize(frame, outbound)} || ${bytes(frame)}.add(${bytes(frame)}).compareTo(${bytes(outbound)}) <= 0`,
    message:
      "must be at most 1/2 of maxOutboundBytes: room for a frame is set aside, and others must be able to wait beside it",
    fieldPath: `.${frame}`,
  },
  {
    rule: `has(self.${frame}) || ${unreadableSize(pull, outbound)} || ${wholePull}.add(${wholePull}).compareTo(${bytes(outbound)}) <= 0`,
    message:
      "must be at most 1/2 of listener.maxOutboundBytes, less 64Ki: room for a frame is set aside, and others must be able to wait beside it",
    fieldPath: `.${pull}`,
  },
  {
    rule: `!has(self.${frame}) || ${unreadableSize(frame, pull)} || ${bytes(frame)}.compareTo(${wholePull}) >= 0`,
    message: "must be at least pull.maxBytes and 64Ki",
    fieldPath: `.${frame}`,
  },
  {
    rule: "!has(self.deadLetter.topic) || self.deadLetter.topic != self.topic",
    message: "must be another topic than the one that is read",
    fieldPath: ".deadLetter.topic",
  },
  {
    rule: "has(self.deadLetter.topic) || self.topic.size() <= 245",
    message: "must be given: with -dlq the topic's name is longer than 249 characters",
    fieldPath: ".deadLetter.topic",
  },
  {
    rule: "self.listener.port != self.admin.port",
    message: otherPort,
    fieldPath: ".admin.port",
  },
];
