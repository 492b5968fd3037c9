import type { DeadLetters } from "../api/index.ts";

/** Where a proxy answers. */
export interface PodAddress {
  readonly name: string;
  readonly ip: string;
}

/** What the proxies themselves say. */
export interface PodsFact {
  /** Of the oldest record that is not settled; undefined for none, or when no pod answers. */
  readonly oldestAgeMs: number | undefined;
  /** undefined unless every partition's owner has answered: each counts the letters of its own. */
  readonly deadLetters: DeadLetters | undefined;
}

/** As much of a proxy's /status as is looked at. */
export interface ProxyAnswer {
  readonly partitions?: readonly {
    readonly partition?: number;
    readonly oldestUnsettled?: { readonly ageMs?: number };
  }[];
  readonly deadLetters?: { readonly retained?: number; readonly lastAt?: string };
}

const answerWithinMs = 3_000;

/** What each pod answers; undefined for one that does not. Never throws. */
export async function askPods(
  pods: readonly PodAddress[],
  port: number,
  signal: AbortSignal,
): Promise<readonly (ProxyAnswer | undefined)[]> {
  return await Promise.all(pods.map(({ ip }) => ask(ip, port, signal)));
}

/** All answers together; `partitions` is how many the topic has, undefined when that is not known. */
export function podsFact(
  answers: readonly (ProxyAnswer | undefined)[],
  partitions: number | undefined,
): PodsFact {
  const given = answers.filter((answer) => answer !== undefined);
  const owned = given.flatMap((answer) => answer.partitions ?? []);
  const ages = owned.flatMap(({ oldestUnsettled }) => oldestUnsettled?.ageMs ?? []);
  const letters = given.flatMap(({ deadLetters }) => deadLetters ?? []);
  const lastAt = letters
    .flatMap((one) => one.lastAt ?? [])
    .sort()
    .at(-1);
  const answeredFor = new Set(owned.map(({ partition }) => partition)).size;
  const whole = partitions !== undefined && answeredFor >= partitions;
  return {
    oldestAgeMs: ages.length === 0 ? undefined : Math.max(...ages),
    deadLetters: whole
      ? {
          retained: letters.reduce((sum, { retained = 0 }) => sum + retained, 0),
          ...(lastAt !== undefined && { lastAt }),
        }
      : undefined,
  };
}

/** "42s", "5m", "3h", "2d": coarse, so that an age is not a new status all the time. */
export function shortAge(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

async function ask(
  ip: string,
  port: number,
  signal: AbortSignal,
): Promise<ProxyAnswer | undefined> {
  const host = ip.includes(":") ? `[${ip}]` : ip;
  try {
    const response = await fetch(`http://${host}:${port}/status`, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerWithinMs)]),
    });
    const answer: unknown = await response.json();
    return response.ok && typeof answer === "object" && answer !== null ? answer : undefined;
  } catch {
    // A pod that starts, ends or is cut off: its condition is Kubernetes' to tell.
    return undefined;
  }
}
