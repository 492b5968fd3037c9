import { backoffMs, pause } from "../connection/index.ts";
import type { Logger } from "../connection/index.ts";
import type { MemberData } from "./member-data.ts";
import type { GroupMemberHandlers, MemberIdentity } from "./options.ts";

/**
 * What we own, and the order of the calls about it: a partition is assigned, and only when that has
 * ended revoked; a lost one is heard of at once.
 */
export class Ownership {
  readonly #handlers: GroupMemberHandlers;
  readonly #logger: Logger;
  readonly #owned = new Set<number>();
  /** The assignments under way; ends when all have. */
  #assigning: Promise<void> = Promise.resolve();
  #identity: MemberIdentity | undefined;
  /** Aborts at a loss: what was under way for the old membership is over. */
  #tenure = new AbortController();

  constructor(handlers: GroupMemberHandlers, logger: Logger) {
    this.#handlers = handlers;
    this.#logger = logger;
  }

  get owned(): ReadonlySet<number> {
    return this.#owned;
  }

  get identity(): MemberIdentity | undefined {
    return this.#identity;
  }

  /** What we tell the group when we join. */
  claim(): Pick<MemberData, "owned" | "ownedGeneration"> {
    return {
      owned: [...this.#owned].sort((a, b) => a - b),
      ownedGeneration: this.#identity?.generation ?? -1,
    };
  }

  /**
   * The group's word. Kept partitions go on; gained ones are handed out; the promise, if there is
   * one, ends when what was taken away has been given up.
   */
  take(assigned: readonly number[], identity: MemberIdentity): Promise<void> | undefined {
    const now = new Set(assigned);
    const lost = [...this.#owned].filter((partition) => !now.has(partition));
    const gained = assigned.filter((partition) => !this.#owned.has(partition));
    for (const partition of lost) this.#owned.delete(partition);
    for (const partition of gained) this.#owned.add(partition);
    this.#identity = identity;
    this.#handlers.generation(identity);
    const before = this.#assigning;
    if (gained.length > 0) {
      this.#assigning = Promise.all([before, this.#assign(gained, identity)]).then(() => undefined);
    }
    return lost.length === 0 ? undefined : this.#revoke(lost, identity, before);
  }

  /** In order, all of it. */
  async giveUpAll(): Promise<void> {
    const identity = this.#identity;
    const lost = [...this.#owned];
    if (identity === undefined || lost.length === 0) return;
    this.#owned.clear();
    this.#tenure.abort();
    await this.#revoke(lost, identity, this.#assigning);
  }

  /** Without warning, all of it. */
  lose(): void {
    const lost = [...this.#owned];
    this.#owned.clear();
    this.#identity = undefined;
    this.#tenure.abort();
    this.#tenure = new AbortController();
    if (lost.length > 0) this.#handlers.lost(lost);
  }

  async #assign(gained: readonly number[], identity: MemberIdentity): Promise<void> {
    const { signal } = this.#tenure;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const mine = gained.filter((partition) => this.#owned.has(partition));
      if (mine.length === 0) return;
      try {
        await this.#handlers.assigned(mine, identity);
        return;
      } catch (error) {
        this.#logger[attempt === 0 ? "warn" : "debug"](
          { error, partitions: mine },
          "group: taking over failed, trying again",
        );
        await pause(backoffMs(attempt), signal);
      }
    }
  }

  async #revoke(
    lost: readonly number[],
    identity: MemberIdentity,
    assigning: Promise<void>,
  ): Promise<void> {
    await assigning;
    try {
      await this.#handlers.revoked(lost, identity);
    } catch (error) {
      this.#logger.error({ error, partitions: lost }, "group: giving up in order failed");
    }
  }
}
