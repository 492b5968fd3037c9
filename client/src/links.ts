import { ClientError } from "./client-error.ts";
import type { DiscoveredProxy } from "./discovery/index.ts";
import type { Link, ProxyAddress } from "./link/index.ts";

interface Entry {
  readonly link: Link;
  stamp: string;
  /** Why the last attempt failed, where that is worth saying; said once. */
  said: ClientError | undefined;
}

/** Refusals that no waiting cures: connect() ends with them when no proxy takes us. */
const fatal: readonly string[] = ["unauthorized", "wrong-target", "untrusted", "protocol"];

/** A link for every proxy that discovery knows, and those that it no longer knows but that still work. */
export class Links {
  readonly #create: (address: ProxyAddress) => Link;
  readonly #onRefused: (error: ClientError) => void;
  readonly #entries = new Map<string, Entry>();
  #known = false;
  #closed = false;
  #waiters = new Set<() => void>();

  constructor(create: (address: ProxyAddress) => Link, onRefused: (error: ClientError) => void) {
    this.#create = create;
    this.#onRefused = onRefused;
  }

  *all(): Generator<Link> {
    for (const { link } of this.#entries.values()) {
      yield link;
    }
  }

  get anyUp(): boolean {
    for (const link of this.all()) {
      if (link.up) {
        return true;
      }
    }
    return false;
  }

  /** The whole set as it is now. */
  update(proxies: readonly DiscoveredProxy[]): void {
    this.#known = true;
    const wanted = new Map(proxies.map((proxy) => [keyOf(proxy), proxy]));
    for (const [key, { link }] of this.#entries) {
      if (!wanted.has(key)) {
        link.unlisted();
      }
    }
    for (const [key, proxy] of wanted) {
      const entry = this.#entries.get(key);
      if (entry === undefined) {
        const { instance, host, port, tls } = proxy;
        const link = this.#create({ instance, host, port, tls });
        this.#entries.set(key, { link, stamp: proxy.stamp, said: undefined });
        link.start();
      } else {
        entry.link.listed(entry.stamp !== proxy.stamp);
        entry.stamp = proxy.stamp;
      }
    }
    this.#progress();
  }

  progressed(link: Link): void {
    const entry = this.#entries.get(keyOf(link.address));
    if (entry !== undefined) {
      entry.said = undefined;
    }
    this.#progress();
  }

  failed(link: Link, error: ClientError): void {
    const entry = this.#entries.get(keyOf(link.address));
    if (entry !== undefined && error.code !== "unreachable" && entry.said?.code !== error.code) {
      entry.said = error;
      this.#onRefused(error);
    }
    this.#progress();
  }

  remove(link: Link): void {
    const key = keyOf(link.address);
    if (this.#entries.get(key)?.link === link) {
      this.#entries.delete(key);
    }
    this.#progress();
  }

  close(reason: string): void {
    this.#closed = true;
    for (const link of this.all()) {
      link.close(reason);
    }
    this.#progress();
  }

  /**
   * Resolves when the set is known and a proxy has welcomed us or each was tried once, or when the time is over.
   * @throws ClientError `zookeeper-unavailable` when the set is not known by then; `unauthorized`,
   * `wrong-target`, `untrusted`, `protocol` when that is what every proxy said.
   */
  async ready(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#waiters.delete(check);
        resolve();
      };
      const check = () => {
        if (this.#closed || (this.#known && (this.anyUp || this.#allTried))) {
          done();
        }
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiters.add(check);
      check();
    });
    if (!this.#known && !this.#closed) {
      throw new ClientError(
        "zookeeper-unavailable",
        `ZooKeeper did not answer within ${timeoutMs} ms. Check the address, and that it can be reached from here.`,
      );
    }
    const refusals = [...this.#entries.values()].map(({ said }) => said);
    const first = refusals[0];
    if (
      !this.anyUp &&
      first !== undefined &&
      refusals.every((error) => error !== undefined && fatal.includes(error.code))
    ) {
      throw first;
    }
  }

  get #allTried(): boolean {
    return [...this.all()].every(({ attempts }) => attempts > 0);
  }

  #progress(): void {
    for (const check of this.#waiters) {
      check();
    }
  }
}

function keyOf({ instance, host, port, tls }: ProxyAddress): string {
  return JSON.stringify([instance, host, port, tls]);
}
