/** coordination.k8s.io/v1 Lease, as far as an election looks into it. */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

/** A lease as somebody last saw it change, by the clock of who saw it. */
export interface Observation {
  readonly spec: LeaseSpec;
  /** Monotonic ms. */
  readonly at: number;
}

/** Clocks of two machines are never compared: only how long the lease has not changed here counts. */
export function observe(
  before: Observation | undefined,
  spec: LeaseSpec,
  now: number,
): Observation {
  const same =
    before !== undefined &&
    before.spec.holderIdentity === spec.holderIdentity &&
    before.spec.renewTime === spec.renewTime &&
    before.spec.leaseTransitions === spec.leaseTransitions;
  return same ? before : { spec, at: now };
}

/** May `identity` write itself into the lease? */
export function mayTake(
  { spec, at }: Observation,
  identity: string,
  leaseDurationMs: number,
  now: number,
): boolean {
  const holder = spec.holderIdentity ?? "";
  if (holder === "" || holder === identity) return true;
  // Whichever is longer: the holder may have been started with other numbers than we.
  const durationMs = Math.max(leaseDurationMs, (spec.leaseDurationSeconds ?? 0) * 1_000);
  return now - at >= durationMs;
}

/** What `identity` writes to have or to keep the lease. */
export function held(
  spec: LeaseSpec,
  identity: string,
  leaseDurationMs: number,
  wallClockMs: number,
): LeaseSpec {
  const time = microTime(wallClockMs);
  const keeps = spec.holderIdentity === identity;
  return {
    holderIdentity: identity,
    leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000),
    acquireTime: keeps ? (spec.acquireTime ?? time) : time,
    renewTime: time,
    leaseTransitions: (spec.leaseTransitions ?? 0) + (keeps ? 0 : 1),
  };
}

/** What a holder that has stopped leaves behind: whoever comes next need not wait. */
export function released(spec: LeaseSpec, wallClockMs: number): LeaseSpec {
  const time = microTime(wallClockMs);
  return {
    ...spec,
    holderIdentity: "",
    leaseDurationSeconds: 1,
    acquireTime: time,
    renewTime: time,
  };
}

/** RFC 3339 with six places, which this type of the API asks for. */
function microTime(wallClockMs: number): string {
  return new Date(wallClockMs).toISOString().replace("Z", "000Z");
}
