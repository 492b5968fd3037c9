/** Defaults that depend on other keys: one place for the rules and for the finished configuration. */
import { parseSize } from "./kinds.ts";

/** The value of a key, default included; undefined when it is absent or wrong. */
export type ValueOf = (key: string) => unknown;

/** What stands around the records of a deliver, generously. */
export const frameHeadroomBytes = parseSize("64KiB");

export const requestTimeoutMs = (sessionTimeoutMs: number): number =>
  Math.floor(sessionTimeoutMs * 0.4);

export const maxFrameBytes = (pullMaxBytes: number): number => pullMaxBytes + frameHeadroomBytes;

export const deadLetterTopic = (topic: string): string => `${topic}-dlq`;

const numeric = (value: unknown, from: (value: number) => number): number | undefined =>
  typeof value === "number" ? from(value) : undefined;

/** By key, from values of which some may be missing or wrong. */
export const derived: Readonly<Record<string, (value: ValueOf) => unknown>> = {
  "kafka.requestTimeout": (value) => numeric(value("kafka.sessionTimeout"), requestTimeoutMs),
  "listener.maxFrameBytes": (value) => numeric(value("pull.maxBytes"), maxFrameBytes),
  "deadLetter.topic": (value) => {
    const topic = value("topic");
    return typeof topic === "string" ? deadLetterTopic(topic) : undefined;
  },
};

/** TLS to the brokers is wanted when another key of its section is given, unless `enabled` says otherwise. */
export function wantsKafkaTls(section: { readonly enabled?: boolean | undefined }): boolean {
  const { enabled, ...others } = section;
  return (
    enabled ??
    Object.values(others).some((value: unknown) => value !== undefined && value !== false)
  );
}
