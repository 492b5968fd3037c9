import { isDeepStrictEqual } from "node:util";
import { GroupOffsets } from "@kafkaproxy/kafka";
import {
  type DeadLetters,
  type KafkaProxy,
  type Lag,
  type Problem,
  secretReferences,
} from "../api/index.ts";
import { readSecrets, type SecretData, type SecretsFact } from "../desired/index.ts";
import {
  backoffMs,
  isKubeError,
  type KubeClient,
  type Logger,
  pathOf,
  pause,
} from "../runtime/index.ts";
import type { ConnectionPool, Connections } from "./connections.ts";
import { askPods, type PodAddress, shortAge } from "./pod-status.ts";
import { kafkaProblem, zooKeeperProblem } from "./problems.ts";

/** What was seen outside of the API's objects. */
export interface ResourceFacts {
  readonly secrets: SecretsFact;
  /** undefined when they could not just be read. */
  readonly partitions: number | undefined;
  readonly lag: Lag | undefined;
  readonly deadLetters: DeadLetters | undefined;
  readonly problems: readonly Problem[];
}

export interface ObserverOptions {
  readonly client: KubeClient;
  readonly pool: ConnectionPool;
  /** The pods of a resource that run. */
  readonly pods: (resource: KafkaProxy) => readonly PodAddress[];
  /** The facts have changed. */
  readonly onChange: () => void;
  readonly logger: Logger;
  readonly random: () => number;
  /** Between two looks. Default 10,000: lag is written no more often. */
  readonly everyMs?: number;
}

const secretKind = { apiVersion: "v1", kind: "Secret", plural: "secrets" };
const defaultEveryMs = 10_000;
/** After a failure, doubling; short enough for what heals to be seen within half a minute. */
const failedBackoff = { firstMs: 1_000, maxMs: 10_000 };
const connectWithinMs = 6_000;
/** A failure that comes at once may be a leader that moves: only the second in a row is told. One that took longer is. */
const failuresToTell = 2;
const failedAtOnceMs = 3_000;

interface Look {
  readonly facts: ResourceFacts;
  readonly failed: boolean;
  /** Failed in a way that may be over at the next look: what was known still stands. */
  readonly passing: boolean;
}

/**
 * Looks at the servers of one resource again and again, apart from its reconciling: a Kafka that does
 * not answer holds up nothing else.
 */
export class Observer {
  readonly #options: ObserverOptions;
  readonly #ended = new AbortController();
  readonly #running: Promise<void>;
  #resource: KafkaProxy;
  #facts: ResourceFacts | undefined;
  #connections: { readonly over: SecretsFact["hash"]; readonly are: Connections } | undefined;
  #failures = 0;

  constructor(resource: KafkaProxy, options: ObserverOptions) {
    this.#resource = resource;
    this.#options = options;
    this.#running = this.#run(this.#ended.signal);
  }

  /** undefined until the first look has ended. */
  get facts(): ResourceFacts | undefined {
    return this.#facts;
  }

  /** False when the resource names other servers or Secrets than this one looks at. */
  fits(resource: KafkaProxy): boolean {
    if (!isDeepStrictEqual(outside(this.#resource), outside(resource))) return false;
    this.#resource = resource;
    return true;
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { everyMs = defaultEveryMs, random, logger, onChange } = this.#options;
    while (!signal.aborted) {
      try {
        const { facts, failed, passing } = await this.#look(signal);
        if (signal.aborted) break;
        this.#failures = failed ? this.#failures + 1 : 0;
        const told = !passing || this.#facts !== undefined;
        if (told && !isDeepStrictEqual(facts, this.#facts)) {
          this.#facts = facts;
          onChange();
        }
      } catch (error) {
        if (signal.aborted) break;
        this.#failures += 1;
        logger.warn({ err: error }, "facts: not all could be read; trying again");
      }
      const waitMs =
        this.#failures === 0
          ? everyMs * (0.9 + 0.2 * random())
          : backoffMs(this.#failures - 1, failedBackoff, random);
      await pause(waitMs, signal);
    }
    await this.#connections?.are.release();
  }

  async #look(signal: AbortSignal): Promise<Look> {
    const resource = this.#resource;
    const startedAt = performance.now();
    const data = await this.#readSecrets(resource, signal);
    const secrets = readSecrets(resource, data);
    const [seen, pods] = await Promise.all([
      secrets.hash === undefined
        ? { problems: [], partitions: undefined, messages: undefined }
        : this.#askServers(resource, secrets.hash, data),
      askPods(this.#options.pods(resource), resource.spec.admin.port, signal),
    ]);
    const { problems, partitions, messages } = seen;
    const failed = problems.length > 0;
    const atOnce = performance.now() - startedAt < failedAtOnceMs;
    const passing = failed && atOnce && this.#failures + 1 < failuresToTell;
    const before = passing ? this.#facts : undefined;
    const missing = secrets.missing.map((found): Problem => ({ reason: "SecretMissing", found }));
    const lag = lagOf(messages, pods.oldestAgeMs);
    return {
      failed,
      passing,
      facts: {
        secrets,
        partitions: partitions ?? before?.partitions,
        lag: lag ?? before?.lag,
        deadLetters: pods.deadLetters,
        problems: [...missing, ...(before === undefined ? problems : before.problems)],
      },
    };
  }

  /** Kafka and ZooKeeper at the same time; what fails is a problem, not an error. */
  async #askServers(resource: KafkaProxy, secretsHash: string, data: SecretData) {
    const { spec } = resource;
    if (this.#connections?.over !== secretsHash) {
      await this.#connections?.are.release();
      this.#connections = {
        over: secretsHash,
        are: this.#options.pool.acquire(spec, data),
      };
    }
    const { kafka, zookeeper } = this.#connections.are;
    const problems: Problem[] = [];
    let partitions: number | undefined;
    let messages: number | undefined;
    const askKafka = async (): Promise<void> => {
      try {
        partitions = (await kafka.partitions(spec.topic)).length;
        const lags = await new GroupOffsets(kafka, spec.consumerGroup, spec.topic).lag();
        messages = [...lags.values()].reduce((sum, { lag }) => sum + lag, 0);
      } catch (error) {
        problems.push(kafkaProblem(error, spec));
      }
    };
    const askZooKeeper = async (): Promise<void> => {
      try {
        await zookeeper.connected({ timeoutMs: connectWithinMs });
      } catch (error) {
        problems.push(zooKeeperProblem(error, spec));
      }
    };
    await Promise.all([askKafka(), askZooKeeper()]);
    return { problems, partitions, messages };
  }

  /** One by one by name, so that the right to list Secrets is not needed. */
  async #readSecrets({ metadata, spec }: KafkaProxy, signal: AbortSignal): Promise<SecretData> {
    const data: Record<string, Readonly<Record<string, string>> | undefined> = {};
    for (const { secret } of secretReferences(spec)) {
      if (Object.hasOwn(data, secret)) continue;
      const path = pathOf(secretKind, metadata.namespace, secret);
      try {
        const answer = await this.#options.client.request<{ data?: Record<string, string> }>(
          "GET",
          path,
          { signal },
        );
        data[secret] = answer.data ?? {};
      } catch (error) {
        if (!isKubeError(error, "not-found")) throw error;
        data[secret] = undefined;
      }
    }
    return data;
  }
}

function lagOf(messages: number | undefined, oldestAgeMs: number | undefined): Lag | undefined {
  if (messages === undefined) return undefined;
  if (messages === 0 || oldestAgeMs === undefined) return { messages };
  return { messages, oldestAge: shortAge(oldestAgeMs) };
}

/** All of a resource that says whom to ask. */
function outside({ metadata, spec }: KafkaProxy): unknown {
  const { kafka, zookeeper, topic, consumerGroup } = spec;
  return [metadata.uid, kafka, zookeeper, topic, consumerGroup, secretReferences(spec)];
}
