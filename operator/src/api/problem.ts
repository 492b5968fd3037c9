/** What can be wrong with a resource that the API server has taken. In the order in which it is told. */
export const problemReasons = [
  "SpecRefused",
  "SecretMissing",
  "SecretUnreadable",
  "KafkaUnreachable",
  "KafkaLoginRefused",
  "TopicNotFound",
  "ZooKeeperUnreachable",
  "ZooKeeperLoginRefused",
  "NameTaken",
  "ApplyRefused",
  "RolloutStuck",
  "PodMonitorUnavailable",
] as const;
export type ProblemReason = (typeof problemReasons)[number];

export interface Problem {
  readonly reason: ProblemReason;
  /** What was found: the address, the name, the other side's words. No secret. */
  readonly found: string;
}

/** What to do, as part of the condition's message. */
export const advice: Readonly<Record<ProblemReason, string>> = {
  SpecRefused: "Correct spec; what runs is left as it was.",
  SecretMissing: "Make the Secret, or correct the reference; what runs is left running.",
  SecretUnreadable:
    "Let the operator's service account get Secrets there (helm upgrade gives the chart's rights back); what runs is left running.",
  KafkaUnreachable:
    "Check spec.kafka.bootstrapServers, the brokers, and the way from the operator to them; what runs is left running.",
  KafkaLoginRefused:
    "Check spec.kafka.tls and spec.kafka.sasl and their Secrets; what runs is left running.",
  TopicNotFound:
    "Make the topic, or correct spec.topic in another KafkaProxy; it is looked for again.",
  ZooKeeperUnreachable: "Check spec.zookeeper.servers and the ensemble; what runs is left running.",
  ZooKeeperLoginRefused: "Check spec.zookeeper.auth and its Secret; what runs is left running.",
  NameTaken:
    "Remove or rename that object, or give the KafkaProxy another name; nothing of it is changed.",
  ApplyRefused: "The API server did not take an object; correct what it names.",
  RolloutStuck: "Look at the pods: kubectl describe pod, kubectl logs.",
  PodMonitorUnavailable:
    "Install the Prometheus operator, or set spec.podMonitor.enabled to false; all else works.",
};

/** What is wrong and what to do, in one line. */
export function problemMessage({ reason, found }: Problem): string {
  const stop = /[.!?]$/u.test(found) ? "" : ".";
  return `${found}${stop} ${advice[reason]}`;
}

/** The gravest first; one a reason and text. */
export function sortedProblems(problems: readonly Problem[]): readonly Problem[] {
  const rank = ({ reason }: Problem): number => problemReasons.indexOf(reason);
  const seen = new Set<string>();
  return [...problems]
    .sort((one, other) => rank(one) - rank(other))
    .filter((problem) => {
      const text = problemMessage(problem);
      return seen.has(text) ? false : seen.add(text);
    });
}
