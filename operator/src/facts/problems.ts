import { KafkaError } from "@kafkaproxy/kafka";
import { ZooKeeperError } from "@kafkaproxy/zookeeper";
import type { KafkaProxySpec, Problem } from "../api/index.ts";

/** What a failure to ask Kafka means for who wrote the resource. */
export function kafkaProblem(error: unknown, { topic, kafka }: KafkaProxySpec): Problem {
  const servers = kafka.bootstrapServers.join(", ");
  const words = error instanceof Error ? error.message : String(error);
  const code = error instanceof KafkaError ? error.code : undefined;
  switch (code) {
    case "topic-not-found":
      return { reason: "TopicNotFound", found: `Kafka at ${servers} has no topic ${topic}` };
    case "authentication":
    case "not-authorized":
      return { reason: "KafkaLoginRefused", found: `Kafka at ${servers} refuses: ${words}` };
    default:
      return { reason: "KafkaUnreachable", found: `Kafka at ${servers} does not answer: ${words}` };
  }
}

export function zooKeeperProblem(error: unknown, { zookeeper }: KafkaProxySpec): Problem {
  const servers = zookeeper.servers.join(", ");
  const words = error instanceof Error ? error.message : String(error);
  if (error instanceof ZooKeeperError && error.code === "auth") {
    return { reason: "ZooKeeperLoginRefused", found: `ZooKeeper at ${servers} refuses: ${words}` };
  }
  return {
    reason: "ZooKeeperUnreachable",
    found: `ZooKeeper at ${servers} does not answer: ${words}`,
  };
}
