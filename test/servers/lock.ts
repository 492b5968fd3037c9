// The folders under .cache, and one lock between processes for what only one should do at a time.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readlink, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export const cacheDir = join(import.meta.dirname, "..", "..", ".cache");

/**
 * What tells a process from those that have its pid later: the pid, and where there is /proc the moment of its start.
 * undefined when nobody has this pid, or only a zombie: that has ended, and its parent has not asked for it yet.
 */
function identityOf(pid: number): string | undefined {
  if (!existsSync("/proc/self/stat")) return answersSignals(pid) ? String(pid) : undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Fields from the third on: the second is the program's name in brackets, which may have anything in it.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, startedAt] = [fields[0], fields[19]];
    return state === "Z" || state === "X" ? undefined : `${pid}@${startedAt}`;
  } catch {
    return undefined; // nobody has this pid
  }
}

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // there, and somebody else's
  }
}

/** @param holder as `identityOf` gave it when the lock was taken. */
function lives(holder: string): boolean {
  return identityOf(Number.parseInt(holder, 10)) === holder;
}

const lockFile = (name: string): string => join(cacheDir, `${name}.lock`);

async function holderOf(name: string): Promise<string | undefined> {
  return readlink(lockFile(name)).catch(() => undefined); // given back meanwhile
}

/**
 * Runs `work` while holding `.cache/<name>.lock`. The lock is a symbolic link whose target is the holder's identity:
 * making it and saying who holds it is one atomic step, and a holder that died is seen and passed over.
 */
export async function withLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  await mkdir(cacheDir, { recursive: true });
  while (!(await take(name))) await sleep(100);
  try {
    return await work();
  } finally {
    await unlink(lockFile(name));
  }
}

async function take(name: string): Promise<boolean> {
  try {
    await symlink(identityOf(process.pid) ?? "", lockFile(name));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const holder = await holderOf(name);
  if (holder !== undefined && !lives(holder)) await removeAfter(holder, name);
  return false;
}

/** One at a time: who looks, and removes it later, could remove the lock of somebody who took it in between. */
async function removeAfter(holder: string, name: string): Promise<void> {
  await withLock(`${name}-after-${holder}`, async () => {
    if ((await holderOf(name)) === holder) await unlink(lockFile(name));
  });
}
