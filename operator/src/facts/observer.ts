import { isDeepStrictEqual } from "node:util";
import { type KafkaProxy, type Lag, type Problem, secretReferences } from "../api/index.ts";
import type { SecretObjects, SecretsFact } from "../desired/index.ts";
import { backoffMs, type KubeClient, type Logger, pause, unlessAborted } from "../runtime/index.ts";
import type { ConnectionPool, Connections } from "./connections.ts";
import { askPods, type PodAddress, podsFact, shortAge } from "./pod-status.ts";
import { kafkaProblem, zooKeeperProblem } from "./problems.ts";
import { seeSecrets } from "./secrets.ts";
import { nextTold, type ResourceFacts, type Told } from "./told.ts";

export interface ObserverOptions {
  readonly client: KubeClient;
  readonly pool: Pick<ConnectionPool, "acquire">;
  /** The pods of a resource that run. */
  readonly pods: (resource: KafkaProxy) => readonly PodAddress[];
  /** The facts have changed. */
  readonly onChange: () => void;
  readonly logger: Logger;
  readonly random: () => number;
  /** Between two looks, and between two values of lag or dead letters that are told. Default 10,000. */
  readonly everyMs?: number;
}

const defaultEveryMs = 10_000;
/** After a failure, doubling; short enough for what heals to be seen within half a minute. */
const failedBackoff = { firstMs: 1_000, maxMs: 10_000 };
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
  #told: Told | undefined;
  #connections: { readonly over: SecretsFact["hash"]; readonly are: Connections } | undefined;
  #failures = 0;

  constructor(resource: KafkaProxy, options: ObserverOptions) {
    this.#resource = resource;
    this.#options = options;
    this.#running = this.#run(this.#ended.signal);
  }

  /** undefined until the first look has ended. */
  get facts(): ResourceFacts | undefined {
    return this.#told?.facts;
  }

  /** False when the resource names other servers or Secrets than this one looks at. */
  fits(resource: KafkaProxy): boolean {
    if (!isDeepStrictEqual(outside(this.#resource), outside(resource))) return false;
    this.#resource = resource;
    return true;
  }

  /** Waits for no answer that is still on its way. */
  async close(): Promise<void> {
    this.#ended.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { everyMs = defaultEveryMs, random, logger } = this.#options;
    while (!signal.aborted) {
      try {
        const look = await unlessAborted(this.#look(signal), signal);
        if (look === undefined) break;
        this.#failures = look.failed ? this.#failures + 1 : 0;
        if (!look.passing || this.#told !== undefined) this.#tell(look.facts, everyMs);
      } catch (error) {
        if (signal.aborted) break;
        this.#failures += 1;
        logger.warn({ err: error }, "facts: not all could be read; trying again");
      }
      const waitMs =
        this.#failures === 0
          ? everyMs * (1 + 0.1 * random())
          : backoffMs(this.#failures - 1, failedBackoff, random);
      await pause(waitMs, signal);
    }
    await this.#connections?.are.release();
  }

  #tell(seen: ResourceFacts, everyMs: number): void {
    const before = this.#told?.facts;
    this.#told = nextTold(this.#told, seen, { now: performance.now(), everyMs });
    if (!isDeepStrictEqual(this.#told.facts, before)) this.#options.onChange();
  }

  async #look(signal: AbortSignal): Promise<Look> {
    const resource = this.#resource;
    const { client, pods } = this.#options;
    const startedAt = performance.now();
    const { objects, fact: secrets } = await seeSecrets(client, resource, signal);
    const [{ problems, partitions, messages }, answers] = await Promise.all([
      secrets.hash === undefined
        ? { problems: [], partitions: undefined, messages: undefined }
        : this.#askServers(resource, secrets.hash, objects, signal),
      askPods(pods(resource), resource.spec.admin.port, signal),
    ]);
    const failed = problems.length > 0;
    const atOnce = performance.now() - startedAt < failedAtOnceMs;
    const passing = failed && atOnce && this.#failures + 1 < failuresToTell;
    const known = this.#told?.facts;
    const before = passing ? known : undefined;
    const { oldestAgeMs, deadLetters } = podsFact(answers, partitions);
    return {
      failed,
      passing,
      facts: {
        secrets,
        partitions: partitions ?? before?.partitions,
        lag: lagOf(messages, oldestAgeMs) ?? before?.lag,
        // They do not go away because a pod is silent, or because there is none.
        deadLetters: deadLetters ?? known?.deadLetters ?? resource.status?.deadLetters,
        problems: [...secrets.problems, ...(before === undefined ? problems : ofServers(before))],
      },
    };
  }

  /** Kafka and ZooKeeper at the same time; what fails is a problem, not an error. */
  async #askServers(
    resource: KafkaProxy,
    secretsHash: string,
    secrets: SecretObjects,
    signal: AbortSignal,
  ) {
    const { spec } = resource;
    if (this.#connections?.over !== secretsHash) {
      await this.#connections?.are.release();
      // Nobody would let them go.
      signal.throwIfAborted();
      this.#connections = {
        over: secretsHash,
        are: this.#options.pool.acquire(resource, secrets),
      };
    }
    const { are } = this.#connections;
    let partitions: number | undefined;
    let messages: number | undefined;
    const askKafka = async (): Promise<Problem[]> => {
      try {
        partitions = await are.partitions();
        messages = await are.lag();
        return [];
      } catch (error) {
        return [kafkaProblem(error, spec)];
      }
    };
    const askZooKeeper = async (): Promise<Problem[]> => {
      try {
        await are.checkZooKeeper();
        return [];
      } catch (error) {
        return [zooKeeperProblem(error, spec)];
      }
    };
    const problems = (await Promise.all([askKafka(), askZooKeeper()])).flat();
    return { problems, partitions, messages };
  }
}

function ofServers({ problems, secrets }: ResourceFacts): readonly Problem[] {
  return problems.filter((problem) => !secrets.problems.includes(problem));
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
