/** Waits until `condition` holds, looking often; fails with `what` after a generous time. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not seen within 30 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
