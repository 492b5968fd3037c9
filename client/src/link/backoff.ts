const initialMs = 50;

/** While something is held or unsettled a proxy that comes back is wanted soon. */
const maxUrgentMs = 500;
const maxMs = 5_000;

/**
 * Wait before attempt `failures` + 1: none at first, then 50 ms doubling to 5 s (500 ms when urgent),
 * of which a random half is taken off, so that a thousand workers do not come as one.
 */
export function backoffMs(failures: number, urgent: boolean, random: () => number): number {
  if (failures === 0) {
    return 0;
  }
  const full = Math.min(urgent ? maxUrgentMs : maxMs, initialMs * 2 ** Math.min(failures - 1, 20));
  return full * (0.5 + random() / 2);
}
