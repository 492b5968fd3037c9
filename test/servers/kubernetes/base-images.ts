// What the node itself asks for (the container that holds a pod's network), and a shell to try things with.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { writeArchive, type TarEntry } from "../../../images/src/index.ts";
import { once } from "../jars.ts";
import { kubernetesHome } from "./binaries.ts";

const commands = ["sh", "cat", "echo", "ls", "nc", "nslookup", "sleep", "true", "wget"];

/** Archive of `localhost/pause:1` and `localhost/busybox:1`, made of Debian's static busybox. */
export async function baseImages(): Promise<string> {
  const folder = join(kubernetesHome, "base-images");
  await once(folder, async (part) => {
    const busybox = await readFile("/bin/busybox");
    const files: TarEntry[] = [
      { path: "bin/busybox", content: busybox, mode: 0o755 },
      ...commands.map((name) => ({ path: `bin/${name}`, linkTo: "busybox" })),
      { path: "tmp", folderMode: 0o1777 },
    ];
    const common = { layers: [files], environment: { PATH: "/bin" } };
    const aLifetime = "2147483647";
    await writeArchive(join(part, "base.tar"), [
      { ...common, names: ["localhost/pause:1"], entrypoint: ["/bin/sleep", aLifetime] },
      { ...common, names: ["localhost/busybox:1"], entrypoint: ["/bin/sh"] },
    ]);
  });
  return join(folder, "base.tar");
}
