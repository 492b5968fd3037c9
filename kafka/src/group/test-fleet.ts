/** Members for the tests against a real broker, and the one rule that holds in all of them. */
import assert from "node:assert/strict";
import { silentLogger } from "../connection/index.ts";
import type { Logger } from "../connection/index.ts";
import { until } from "../connection/test-until.ts";
import { GroupMember } from "./member.ts";
import type { GroupMemberOptions, MemberIdentity, MemberState } from "./options.ts";

export interface FleetOptions {
  readonly bootstrapServers: readonly string[];
  readonly groupId: string;
  readonly topic: string;
  readonly logger?: Logger;
}

export interface Event {
  readonly instanceId: string;
  readonly kind: "assigned" | "revoked" | "lost" | "generation";
  readonly partitions: readonly number[];
  readonly at: number;
}

/** The members of one group. A partition that two of them hold at once fails the test at its end. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly holders = new Map<number, string>();
  readonly events: Event[] = [];
  readonly violations: string[] = [];
  readonly members: TestMember[] = [];

  constructor(options: FleetOptions) {
    this.#options = options;
  }

  add(
    instanceId: string,
    options: Partial<GroupMemberOptions> & { ordinal: number; replicas: number },
    behaviour: TestBehaviour = {},
  ): TestMember {
    const member = new TestMember(
      this,
      {
        settings: {
          bootstrapServers: options.settings?.bootstrapServers ?? this.#options.bootstrapServers,
          requestTimeoutMs: 2_000,
        },
        groupId: this.#options.groupId,
        topic: this.#options.topic,
        logger: this.#options.logger ?? silentLogger,
        configGeneration: 1,
        sessionTimeoutMs: 6_000,
        rebalanceTimeoutMs: 10_000,
        heartbeatIntervalMs: 100,
        metadataRefreshMs: 500,
        ...options,
        instanceId,
      },
      behaviour,
    );
    this.members.push(member);
    member.member.start();
    return member;
  }

  /** All partitions below `count` are held, by these and nobody else. */
  async settled(count: number, expected: Record<string, readonly number[]>): Promise<void> {
    const wanted = JSON.stringify(expected);
    try {
      await until("", () => JSON.stringify(this.held(count, Object.keys(expected))) === wanted);
    } catch {
      assert.deepEqual(this.held(count, Object.keys(expected)), expected, "who holds what");
    }
  }

  held(count: number, names: readonly string[]): Record<string, number[]> {
    const held: Record<string, number[]> = Object.fromEntries(names.map((name) => [name, []]));
    for (let partition = 0; partition < count; partition += 1) {
      const holder = this.holders.get(partition);
      if (holder !== undefined) (held[holder] ??= []).push(partition);
    }
    return held;
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map(({ member }) => member.close({ leave: true })));
    assert.deepEqual(this.violations, [], "a partition had two owners");
  }

  eventsOf(instanceId: string, kind: Event["kind"]): Event[] {
    return this.events.filter((event) => event.instanceId === instanceId && event.kind === kind);
  }
}

export interface TestBehaviour {
  assigned?(partitions: readonly number[], identity: MemberIdentity): Promise<void>;
  revoked?(partitions: readonly number[], identity: MemberIdentity): Promise<void>;
}

export class TestMember {
  readonly member: GroupMember;
  readonly states: MemberState[] = [];
  readonly #fleet: Fleet;
  readonly #instanceId: string;

  constructor(
    fleet: Fleet,
    options: Omit<GroupMemberOptions, "handlers">,
    behaviour: TestBehaviour,
  ) {
    this.#fleet = fleet;
    this.#instanceId = options.instanceId;
    this.member = new GroupMember({
      ...options,
      handlers: {
        assigned: async (partitions, identity) => {
          this.#record("assigned", partitions);
          for (const partition of partitions) {
            const holder = fleet.holders.get(partition);
            if (holder !== undefined) {
              fleet.violations.push(
                `${partition}: given to ${this.#instanceId}, held by ${holder}`,
              );
            }
            fleet.holders.set(partition, this.#instanceId);
          }
          await behaviour.assigned?.(partitions, identity);
        },
        revoked: async (partitions, identity) => {
          await behaviour.revoked?.(partitions, identity);
          this.#record("revoked", partitions);
          this.#drop(partitions);
        },
        lost: (partitions) => {
          this.#record("lost", partitions);
          this.#drop(partitions);
        },
        generation: () => this.#record("generation", []),
        state: (state) => this.states.push(state),
      },
    });
  }

  /** As a process that dies: the group is not told. */
  async crash(): Promise<void> {
    const held = [...this.member.owned];
    await this.member.close({ leave: false });
    this.#drop(held);
  }

  #record(kind: Event["kind"], partitions: readonly number[]): void {
    this.#fleet.events.push({
      instanceId: this.#instanceId,
      kind,
      partitions: [...partitions].sort((a, b) => a - b),
      at: performance.now(),
    });
  }

  #drop(partitions: readonly number[]): void {
    for (const partition of partitions) {
      if (this.#fleet.holders.get(partition) === this.#instanceId) {
        this.#fleet.holders.delete(partition);
      }
    }
  }
}
