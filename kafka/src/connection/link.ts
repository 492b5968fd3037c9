import { connect as connectTcp, isIP } from "node:net";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { KafkaError } from "../errors.ts";
import { AnswerReader } from "./answer-reader.ts";
import { Connection, messages, neededVersions } from "./kafkajs.ts";
import type { ApiVersions, InternalLogger, Message } from "./kafkajs.ts";
import { stopIdleThrottleCheck } from "./throttle.ts";
import type { Address, Logger, ResolvedSettings, TlsSettings } from "./settings.ts";

const keepAliveMs = 60_000;

/** Of an answer: its length, then its correlation id, each an int32. */
const correlationIdAt = 4;
const payloadAt = 8;

export interface LinkOptions {
  /** An answer's bytes are good until the next one comes: for who has one request under way at a time. */
  readonly reusesMemory?: boolean;
}

/**
 * One TCP connection to one broker: connected and authenticated when first used, and never used
 * again once anything about it went wrong (kafkajs keeps half-read bytes over a reconnect). A
 * request that is not answered in time closes it: whatever froze the broker or ate the packets, the
 * next request starts on a new socket.
 */
export class BrokerLink {
  readonly #address: Address;
  readonly #settings: ResolvedSettings;
  readonly #connection: Connection;
  readonly #reader: AnswerReader;
  #socket: Socket | undefined;
  #ready: Promise<void> | undefined;
  #closed = false;
  #retired = false;
  #underWay = 0;

  constructor(
    address: Address,
    settings: ResolvedSettings,
    { reusesMemory = false }: LinkOptions = {},
  ) {
    this.#address = address;
    this.#settings = settings;
    this.#reader = new AnswerReader({
      reusesMemory,
      answered: (answer) => {
        this.#answered(answer);
      },
    });
    this.#connection = new Connection({
      ...address,
      clientId: settings.clientId,
      logger: quietLogger(settings.logger),
      ssl: settings.tls === undefined ? null : {},
      sasl:
        settings.sasl === undefined
          ? null
          : {
              mechanism: settings.sasl.mechanism,
              username: settings.sasl.username,
              password: settings.sasl.password,
            },
      connectionTimeout: settings.connectTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      // A timer of ours for each request instead: kafkajs' sweeps every 100 ms by the wall clock and
      // leaves the socket open.
      enforceRequestTimeout: false,
      socketFactory: ({ onConnect }) => this.#openSocket(onConnect),
    });
    stopIdleThrottleCheck(this.#connection);
  }

  /** False once it failed, was retired or closed: take a new one. */
  get usable(): boolean {
    return !this.#closed && !this.#retired;
  }

  async send<Response>(message: Message<Response>, timeoutMs: number): Promise<Response> {
    this.#underWay += 1;
    try {
      await this.#connect();
      return await this.#withDeadline(
        this.#connection.send(message),
        timeoutMs,
        message.request.apiName,
      );
    } finally {
      this.#underWay -= 1;
      if (this.#retired) this.retire();
    }
  }

  /** Closes it as soon as nothing is under way. */
  retire(): void {
    this.#retired = true;
    if (this.#underWay > 0) return;
    this.close(new KafkaError("unreachable", `the connection to ${this.#name} was retired`));
  }

  /** Everything under way is rejected with `error`. */
  close(error: KafkaError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.authHandlers?.onError();
    this.#connection.requestQueue.rejectAll(error);
    this.#socket?.destroy();
    void this.#disconnect();
  }

  async #disconnect(): Promise<void> {
    try {
      await this.#connection.disconnect();
    } catch (error) {
      this.#settings.logger.debug({ error, broker: this.#name }, "kafka: closing failed");
    }
  }

  get #name(): string {
    return `${this.#address.host}:${this.#address.port}`;
  }

  #connect(): Promise<void> {
    this.#ready ??= this.#withDeadline(
      this.#handshake(),
      this.#settings.connectTimeoutMs,
      "connecting",
    );
    return this.#ready;
  }

  async #handshake(): Promise<void> {
    await this.#connection.connect();
    const answer = await this.#connection.send(messages.apiVersions());
    const versions: ApiVersions = {};
    for (const { apiKey, minVersion, maxVersion } of answer.apiVersions) {
      versions[apiKey] = { minVersion, maxVersion };
    }
    this.#connection.setVersions(versions);
    this.#connection.setSupportAuthenticationProtocol(true);
    await this.#connection.authenticate();
    assertSupported(versions, this.#name);
  }

  /** Settles as `work` does, or closes the link at the deadline. Any failure of the link ends it. */
  async #withDeadline<T>(work: Promise<T>, timeoutMs: number, what: string): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(
          new KafkaError(
            "timeout",
            `${what}: no answer from ${this.#name} in ${timeoutMs} ms; the connection was closed`,
          ),
        );
      }, timeoutMs);
    });
    try {
      return await Promise.race([work, deadline]);
    } catch (cause) {
      const error = this.#translate(cause, what);
      this.close(error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  #translate(cause: unknown, what: string): KafkaError {
    if (cause instanceof KafkaError) return cause;
    const { name = "Error", message = String(cause) } = cause instanceof Error ? cause : {};
    if (name === "KafkaJSSASLAuthenticationError" || name === "KafkaJSNotImplemented") {
      const { mechanism, username } = this.#settings.sasl ?? { mechanism: "none", username: "" };
      return new KafkaError(
        "authentication",
        `${this.#name} refused SASL ${mechanism} for user "${username}": check the user, the password and the broker's enabled mechanisms`,
        { cause },
      );
    }
    return new KafkaError("unreachable", `${what}: ${this.#name}: ${message}`, { cause });
  }

  #openSocket(onConnect: () => void): Socket {
    const { host, port } = this.#address;
    const { tls } = this.#settings;
    const options = {
      host,
      port,
      onread: {
        buffer: () => this.#reader.room(),
        callback: (bytes: number) => {
          this.#received(bytes);
          return true;
        },
      },
    };
    const socket =
      tls === undefined
        ? connectTcp({ ...options, noDelay: true }, onConnect)
        : connectTls({ ...options, ...tlsOptions(host, tls) }, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveMs);
    // A reset or destroyed socket may close without "end" or "error": whoever waits must hear of it.
    socket.once("close", () => {
      this.close(new KafkaError("unreachable", `${this.#name} closed the connection`));
    });
    this.#socket = socket;
    return socket;
  }

  #received(bytes: number): void {
    try {
      this.#reader.received(bytes);
    } catch (cause) {
      this.close(this.#translate(cause, "reading an answer"));
    }
  }

  #answered(answer: Buffer): void {
    if (this.#connection.authHandlers !== null) {
      // SASL's exchange is no request of the queue.
      this.#connection.processData(answer);
      return;
    }
    this.#connection.requestQueue.fulfillRequest({
      correlationId: answer.readInt32BE(correlationIdAt),
      size: answer.length - correlationIdAt,
      payload: answer.subarray(payloadAt),
    });
  }
}

function tlsOptions(host: string, tls: TlsSettings): object {
  const serverName = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    ...(serverName === undefined ? {} : { servername: serverName }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    rejectUnauthorized: tls.rejectUnauthorized ?? true,
  };
}

function assertSupported(versions: ApiVersions, broker: string): void {
  for (const [apiKey, { name, version }] of neededVersions) {
    const range = versions[apiKey];
    if (range === undefined || version < range.minVersion || version > range.maxVersion) {
      const offered =
        range === undefined
          ? "does not have it"
          : `offers ${range.minVersion} to ${range.maxVersion}`;
      throw new KafkaError(
        "unsupported",
        `${broker} ${offered}: ${name} version ${version} is needed, that is Kafka 2.3 or newer`,
      );
    }
  }
}

/**
 * kafkajs logs what we handle and report ourselves as errors, and whole answers with it: only its
 * words are kept, at debug.
 */
function quietLogger(logger: Logger): InternalLogger {
  const say = (message: string): void => logger.debug({}, `kafkajs: ${message}`);
  const quiet: InternalLogger = {
    namespace: () => quiet,
    debug: () => undefined,
    info: say,
    warn: say,
    error: say,
  };
  return quiet;
}
