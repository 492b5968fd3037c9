import type { LetterAnswer } from "../deadletter/index.ts";

/** What the admin server asks of the proxy. */
export interface AdminPort {
  /** Whether the process is worth keeping; more fields are shown as they are. */
  health(): { readonly ok: boolean };
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] };
  /** Shown as JSON to everybody: no payload and no secret in it. */
  status(): object;
  /** In Prometheus' text format. */
  metrics(): Promise<string>;
  deadLetter(msgId: string): Promise<LetterAnswer>;
}
