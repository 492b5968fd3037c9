// What the node itself asks for (the container that holds a pod's network), and a shell to try things with.
import { readFile } from "node:fs/promises";
import { writeArchive, type TarEntry } from "../../../images/src/index.ts";

/** Not those that look names up: a static C library crashes there. */
const commands = [
  "sh",
  "cat",
  "echo",
  "grep",
  "httpd",
  "ls",
  "mkdir",
  "nc",
  "sleep",
  "timeout",
  "true",
];

/** What holds a pod's network does nothing else, for as long as it lives. */
export const pauseCommand = ["/bin/sleep", "2147483647"] as const;

/** Writes the archive of `localhost/pause:1` and `localhost/busybox:1`, made of Debian's static busybox. */
export async function writeBaseImages(file: string): Promise<void> {
  const busybox = await readFile("/bin/busybox");
  const files: TarEntry[] = [
    { path: "bin/busybox", content: busybox, mode: 0o755 },
    ...commands.map((name) => ({ path: `bin/${name}`, linkTo: "busybox" })),
    { path: "tmp", folderMode: 0o1777 },
  ];
  const common = { layers: [files], environment: { PATH: "/bin" } };
  await writeArchive(file, [
    { ...common, names: ["localhost/pause:1"], entrypoint: pauseCommand },
    { ...common, names: ["localhost/busybox:1"], entrypoint: ["/bin/sh"] },
  ]);
}
