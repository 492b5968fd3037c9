import { KafkaError } from "../errors.ts";
import { backoffMs, pause } from "./backoff.ts";
import { messages } from "./kafkajs.ts";
import type { Message, MetadataResponse } from "./kafkajs.ts";
import { BrokerLink, type LinkOptions } from "./link.ts";
import { resolveSettings } from "./settings.ts";
import type { Address, KafkaSettings, Logger, ResolvedSettings } from "./settings.ts";

export interface PartitionInfo {
  readonly partition: number;
  /** Node id, or -1 while the partition has no leader. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

/**
 * A broker answers the requests of one connection in turn, so what may wait long has a connection
 * of its own: a fetch at its long poll, a JoinGroup at the others' rejoining. Heartbeats wait for
 * nobody.
 */
export type Lane = "main" | "fetch-0" | "fetch-1" | "group" | "heartbeat";

/** A node id, or "any": whichever broker answers. */
export type Target = number | "any";

export interface SendOptions {
  readonly lane?: Lane;
  /** Default: the settings' `requestTimeoutMs`. */
  readonly timeoutMs?: number;
}

export interface ConnectionOptions {
  /**
   * The bytes of an answer on a fetch lane are good until the next request on that lane: for who has one under way at
   * a time on each.
   */
  readonly reusesFetchMemory?: boolean;
}

const topicLiteral = 2;
const coordinatorOfGroup = 0;

/**
 * The brokers of one Kafka cluster: where they are, which leads what, and connections to them, made
 * when first needed and made anew after any failure. One request is one attempt; it is the caller
 * who knows whether to repeat it.
 */
export class KafkaConnection {
  readonly logger: Logger;
  readonly requestTimeoutMs: number;
  readonly #settings: ResolvedSettings;
  readonly #reusesFetchMemory: boolean;
  readonly #links = new Map<string, BrokerLink>();
  readonly #brokers = new Map<number, Address>();
  readonly #topics = new Map<string, readonly PartitionInfo[]>();
  readonly #coordinators = new Map<string, number>();
  readonly #refreshes = new Map<string, Promise<readonly PartitionInfo[]>>();
  readonly #ended = new AbortController();
  #controller = -1;
  #seed = 0;

  /** Throws `bad-arguments`; connects to nothing yet. */
  constructor(settings: KafkaSettings, { reusesFetchMemory = false }: ConnectionOptions = {}) {
    this.#settings = resolveSettings(settings);
    this.#reusesFetchMemory = reusesFetchMemory;
    this.logger = this.#settings.logger;
    this.requestTimeoutMs = this.#settings.requestTimeoutMs;
  }

  /**
   * Ends when a broker has answered. Tries for `timeoutMs` (default: for ever). Wrong credentials
   * (`authentication`) and brokers that are too old (`unsupported`) end it at once.
   */
  async connect(options: { timeoutMs?: number; signal?: AbortSignal } = {}): Promise<void> {
    const signals = [this.#ended.signal];
    if (options.signal !== undefined) signals.push(options.signal);
    if (options.timeoutMs !== undefined) signals.push(AbortSignal.timeout(options.timeoutMs));
    const signal = AbortSignal.any(signals);
    for (let attempt = 0; ; attempt += 1) {
      try {
        await this.#fetchMetadata([]);
        return;
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.retriable || signal.aborted) throw error;
        this.logger.warn({ error, attempt }, "kafka: no broker can be reached yet");
        await pause(backoffMs(attempt), signal);
        if (signal.aborted) throw error;
      }
    }
  }

  /** Requests under way fail with `closed`. */
  async close(): Promise<void> {
    this.#ended.abort();
    const error = new KafkaError("closed", "the connection to Kafka was closed", {
      retriable: false,
    });
    for (const link of this.#links.values()) link.close(error);
    this.#links.clear();
  }

  get closed(): boolean {
    return this.#ended.signal.aborted;
  }

  /** Aborts at `close()`: for the waits of those who use this connection. */
  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  /** The topic's partitions in order, asked of a broker. `topic-not-found` when there is none. */
  async partitions(topic: string): Promise<readonly PartitionInfo[]> {
    let refresh = this.#refreshes.get(topic);
    if (refresh === undefined) {
      refresh = this.#refresh(topic).finally(() => this.#refreshes.delete(topic));
      this.#refreshes.set(topic, refresh);
    }
    return await refresh;
  }

  /** Whatever waits on this lane of this broker fails with `unreachable`. */
  cut(target: number, lane: Lane): void {
    const key = `${target}/${lane}`;
    const link = this.#links.get(key);
    this.#links.delete(key);
    link?.close(new KafkaError("unreachable", `broker ${target} does not answer`));
  }

  /** As `partitions`, but what is already known is good enough. */
  async knownPartitions(topic: string): Promise<readonly PartitionInfo[]> {
    return this.#topics.get(topic) ?? (await this.partitions(topic));
  }

  /** `not-leader` (retriable) while there is none. What was known is dropped by `forget(topic)`. */
  async leader(topic: string, partition: number): Promise<number> {
    const info = (await this.knownPartitions(topic)).find((one) => one.partition === partition);
    if (info !== undefined && info.leader >= 0 && this.#brokers.has(info.leader)) {
      return info.leader;
    }
    this.forget(topic);
    if (info === undefined) {
      throw new KafkaError("topic-not-found", `topic ${topic} has no partition ${partition}`, {
        retriable: true,
      });
    }
    throw new KafkaError("not-leader", `topic ${topic}, partition ${partition} has no leader now`);
  }

  /** The next `leader()` asks a broker again: what it was told turned out to be old. */
  forget(topic: string): void {
    this.#topics.delete(topic);
  }

  /** The node that coordinates the group, remembered until `forgetCoordinator`. */
  async coordinator(groupId: string): Promise<number> {
    const known = this.#coordinators.get(groupId);
    if (known !== undefined) return known;
    const answer = await this.send(
      "any",
      messages.findCoordinator({ coordinatorKey: groupId, coordinatorType: coordinatorOfGroup }),
    );
    if (answer.errorCode !== 0) {
      throw KafkaError.fromProtocol(answer.errorCode, `coordinator of group ${groupId}`);
    }
    const { nodeId, host, port } = answer.coordinator;
    this.#place(nodeId, { host, port });
    this.#coordinators.set(groupId, nodeId);
    return nodeId;
  }

  forgetCoordinator(groupId: string): void {
    this.#coordinators.delete(groupId);
  }

  /** The node that creates topics. */
  async controller(): Promise<number> {
    await this.#fetchMetadata([]);
    return this.#controller;
  }

  /**
   * The largest batch that the topic takes (its `max.message.bytes`); undefined when we may not ask.
   */
  async maxMessageBytes(topic: string): Promise<number | undefined> {
    const name = "max.message.bytes";
    const answer = await this.send(
      "any",
      messages.describeConfigs({
        resources: [{ type: topicLiteral, name: topic, configNames: [name] }],
      }),
    );
    const resource = answer.resources[0];
    const entry = resource?.configEntries.find(({ configName }) => configName === name);
    if (resource === undefined || resource.errorCode !== 0 || entry?.configValue == null) {
      this.logger.debug({ topic, errorCode: resource?.errorCode }, `kafka: ${name} can't be read`);
      return undefined;
    }
    return Number(entry.configValue);
  }

  /**
   * One request, one attempt. Fails with `unreachable`, `timeout` (it may have been carried out),
   * `authentication`, `unsupported` or `closed`. The answer's own error codes are the caller's.
   */
  async send<Response>(
    target: Target,
    message: Message<Response>,
    options: SendOptions = {},
  ): Promise<Response> {
    const timeoutMs = options.timeoutMs ?? this.requestTimeoutMs;
    const lane = options.lane ?? "main";
    if (target !== "any") return await this.#link(target, lane).send(message, timeoutMs);
    let failure: unknown;
    for (const link of this.#candidates(lane)) {
      try {
        return await link.send(message, timeoutMs);
      } catch (error) {
        if (!(error instanceof KafkaError) || !error.retriable) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  /** Known brokers first, those with a live connection before the others; then the bootstrap list. */
  *#candidates(lane: Lane): Generator<BrokerLink> {
    const nodes = [...this.#brokers.keys()];
    const live = nodes.filter((node) => this.#links.get(`${node}/${lane}`)?.usable === true);
    const rest = nodes.filter((node) => !live.includes(node));
    for (const node of [...live, ...rest]) {
      // An answer that came meanwhile may have removed it.
      if (this.#brokers.has(node)) yield this.#link(node, lane);
    }
    const { bootstrap } = this.#settings;
    for (let tried = 0; tried < bootstrap.length; tried += 1) {
      const address = bootstrap[this.#seed % bootstrap.length];
      this.#seed += 1;
      if (address !== undefined) yield this.#open(`seed/${address.host}:${address.port}`, address);
    }
  }

  #link(node: number, lane: Lane): BrokerLink {
    const address = this.#brokers.get(node);
    if (address === undefined) {
      throw new KafkaError("unreachable", `broker ${node} is not in the cluster's metadata now`);
    }
    const reusesMemory = this.#reusesFetchMemory && (lane === "fetch-0" || lane === "fetch-1");
    return this.#open(`${node}/${lane}`, address, { reusesMemory });
  }

  #open(key: string, address: Address, options: LinkOptions = {}): BrokerLink {
    if (this.closed) throw new KafkaError("closed", "the connection to Kafka was closed");
    const known = this.#links.get(key);
    if (known?.usable === true) return known;
    const link = new BrokerLink(address, this.#settings, options);
    this.#links.set(key, link);
    return link;
  }

  async #refresh(topic: string): Promise<readonly PartitionInfo[]> {
    const answer = await this.#fetchMetadata([topic]);
    const found = answer.topicMetadata.find((one) => one.topic === topic);
    const errorCode = found?.topicErrorCode ?? 3;
    if (found === undefined || (errorCode !== 0 && found.partitionMetadata.length === 0)) {
      this.#topics.delete(topic);
      throw KafkaError.fromProtocol(errorCode, `metadata of topic ${topic}`);
    }
    const partitions = found.partitionMetadata
      .map(({ partitionId, leader, replicas, isr }) => ({
        partition: partitionId,
        leader,
        replicas,
        isr,
      }))
      .sort((a, b) => a.partition - b.partition);
    this.#topics.set(topic, partitions);
    return partitions;
  }

  async #fetchMetadata(topics: readonly string[]): Promise<MetadataResponse> {
    const answer = await this.send(
      "any",
      messages.metadata({ topics, allowAutoTopicCreation: false }),
    );
    // An answer without brokers comes from one that has just started: what we know is better.
    if (answer.brokers.length > 0) {
      const present = new Set(answer.brokers.map(({ nodeId }) => nodeId));
      for (const node of this.#brokers.keys()) if (!present.has(node)) this.#remove(node);
      for (const { nodeId, host, port } of answer.brokers) this.#place(nodeId, { host, port });
      // The bootstrap connections have done their work.
      this.#retire("seed/");
    }
    this.#controller = answer.controllerId;
    return answer;
  }

  #place(node: number, address: Address): void {
    const known = this.#brokers.get(node);
    if (known?.host === address.host && known.port === address.port) return;
    if (known !== undefined) this.#remove(node);
    this.#brokers.set(node, address);
  }

  #remove(node: number): void {
    this.#brokers.delete(node);
    this.#retire(`${node}/`);
  }

  #retire(prefix: string): void {
    for (const [key, link] of this.#links) {
      if (!key.startsWith(prefix)) continue;
      link.retire();
      this.#links.delete(key);
    }
  }
}
