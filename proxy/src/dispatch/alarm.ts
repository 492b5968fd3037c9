import { Linked } from "../ledger/index.ts";

/** Something to be done at a time, unless it is disarmed before. */
export class Alarm extends Linked<Alarm> {
  dueAt = 0;
  readonly ring: (now: number) => void;

  constructor(ring: (now: number) => void) {
    super();
    this.ring = ring;
  }

  disarm(): void {
    this.list?.remove(this);
  }
}
