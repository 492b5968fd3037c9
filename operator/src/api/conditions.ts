import type { ProblemReason } from "./problem.ts";
import type { ConditionType } from "./status.ts";

/** What each condition is about, and its reasons beside those of problems. */
export const conditions = {
  Ready: {
    meaning:
      "The pods that are to serve do. While a rollout takes one of several away it stays True: the others have its partitions.",
    reasons: {
      Serving: "True: they serve.",
      Paused:
        "True: they hold their partitions and deliver nothing, as spec.paused says, from when the kubelet has brought them the change (a minute or so).",
      PodsNotReady: "False: some do not serve.",
      ScaledToZero: "False: spec.replicas is 0.",
      PartitionsUnknown: "False: the topic was never seen, so that nothing was started.",
    },
  },
  Progressing: {
    meaning: "The operator is on the way to what spec says.",
    reasons: {
      Creating: "True: there are no pods yet.",
      Scaling: "True: pods come or go.",
      RollingOut: "True: pods are replaced one by one.",
      WaitingForPods: "True: pods start.",
      Waiting: "False: there is nothing to make yet.",
      Complete: "False: all is as spec says.",
    },
  },
  Degraded: {
    meaning: "Something is wrong; what runs is left running. The gravest problem is the reason.",
    reasons: { AllWell: "False: nothing is wrong." },
  },
  ReplicasCapped: {
    meaning: "More replicas are asked for than the topic has partitions.",
    reasons: {
      WithinPartitions: "False: all of them run.",
      MoreThanPartitions:
        "True: as many run as there are partitions; the others come by themselves when partitions are added.",
      PartitionsUnknown: "Unknown: the topic was never seen.",
    },
  },
} as const satisfies Record<ConditionType, { meaning: string; reasons: Record<string, string> }>;

type Conditions = typeof conditions;

/** A reason that a condition may have. */
export type ConditionReason =
  | { [T in ConditionType]: keyof Conditions[T]["reasons"] }[ConditionType]
  | ProblemReason;
