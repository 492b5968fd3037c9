import type { Condition, ConditionType, KafkaProxyStatus } from "../api/index.ts";
import type { EventToRecord } from "../runtime/index.ts";

/** What was done to the StatefulSet. */
export interface ScaleStep {
  /** undefined when it was made now. */
  readonly from: number | undefined;
  readonly to: number;
}

const proxies = (count: number): string => (count === 1 ? "1 proxy" : `${count} proxies`);

/** What people look for, told when it begins and not again while it lasts. Pure. */
export function eventsOf(
  before: KafkaProxyStatus | undefined,
  after: KafkaProxyStatus,
  step: ScaleStep | undefined,
): EventToRecord[] {
  const events: EventToRecord[] = [];
  if (step !== undefined && step.from === undefined) {
    events.push({ type: "Normal", reason: "Created", message: `Created ${proxies(step.to)}.` });
  } else if (step?.from !== undefined && step.from !== step.to) {
    const message = `Scaled from ${step.from} to ${proxies(step.to)}.`;
    events.push({ type: "Normal", reason: "Scaled", message });
  }
  const capped = began("ReplicasCapped", before, after);
  if (capped !== undefined) {
    events.push({ type: "Warning", reason: "Capped", message: capped.message });
  }
  const degraded = began("Degraded", before, after);
  if (degraded !== undefined) {
    events.push({ type: "Warning", reason: degraded.reason, message: degraded.message });
  }
  return events;
}

/** The condition, if it holds now and did not hold before for the same reason. */
function began(
  type: ConditionType,
  before: KafkaProxyStatus | undefined,
  after: KafkaProxyStatus,
): Condition | undefined {
  const [was, is] = [before, after].map((status) =>
    status?.conditions?.find((condition) => condition.type === type),
  );
  if (is?.status !== "True") return undefined;
  return was?.status === "True" && was.reason === is.reason ? undefined : is;
}
