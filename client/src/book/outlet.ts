import type { Frame, SessionLimits } from "@kafkaproxy/wire";
import type { Hold } from "./hold.ts";

/** One proxy's session, as far as the book needs it. */
export interface Outlet {
  /** Frames can be sent: welcome has come, and the connection stands. */
  readonly up: boolean;
  /** Known to be dead, not only out of reach: it refuses connections, or has left the registry. */
  readonly gone: boolean;
  readonly limits: SessionLimits;
  /** Queues a frame; never throws. */
  send(frame: Frame): void;
}

/** Where deliveries go: a worker, an iteration, one pull(). */
export interface Sink {
  /** Whether started deliveries are renewed. */
  readonly renews: boolean;
  /** The hold has been settled, handed back or lost; called once. */
  ended(hold: Hold): void;
  /** A lease was renewed. */
  renewed(): void;
}
