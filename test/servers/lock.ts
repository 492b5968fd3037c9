// The folders under .cache, and one lock between processes for what only one should do at a time.
import { mkdir, readlink, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const cacheDir = join(import.meta.dirname, "..", "..", ".cache");

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH: nobody has this pid
  }
}

/**
 * Runs `work` while holding `.cache/<name>.lock`. The lock is a symbolic link whose target is the holder's pid:
 * making it and saying who holds it is one atomic step, and a holder that died is seen and passed over.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  await mkdir(cacheDir, { recursive: true });
  const lock = join(cacheDir, `${name}.lock`);
  for (;;) {
    try {
      await symlink(String(process.pid), lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      const holder = await readlink(lock).catch(() => undefined); // gone between the two calls: try again
      if (holder !== undefined && !alive(Number(holder))) await unlink(lock).catch(() => undefined); // another waiter removed it
      await sleep(100);
    }
  }
  try {
    return await work();
  } finally {
    await unlink(lock);
  }
}
