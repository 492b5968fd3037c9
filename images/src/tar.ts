// Tar archives whose bytes depend on what is in them and on nothing else: no times, no owners' names, one order.
import { Buffer } from "node:buffer";

/** Something in an archive. Folders on the way to it need no entry of their own. */
export type TarEntry = { readonly path: string } & (
  | {
      readonly content: Uint8Array;
      /** Default 0o644. */
      readonly mode?: number;
    }
  | { readonly linkTo: string }
  | { readonly folderMode: number }
);

const blockBytes = 512;

/** The archive in pieces, in the order of the entries' paths; big contents are not copied. Throws on a path over 100 bytes. */
export function tar(entries: readonly TarEntry[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const entry of withFolders(entries)) {
    const content = "content" in entry ? entry.content : new Uint8Array();
    pieces.push(header(entry, content.byteLength), content);
    const rest = content.byteLength % blockBytes;
    if (rest > 0) pieces.push(new Uint8Array(blockBytes - rest));
  }
  pieces.push(new Uint8Array(2 * blockBytes));
  return pieces;
}

/** Sorted, with every folder before what is in it. */
function withFolders(entries: readonly TarEntry[]): TarEntry[] {
  const all = new Map<string, TarEntry>();
  for (const { path } of entries) {
    const parts = path.split("/");
    for (let i = 1; i < parts.length; i++) {
      const folder = parts.slice(0, i).join("/");
      all.set(folder, { path: folder, folderMode: 0o755 });
    }
  }
  for (const entry of entries) all.set(entry.path, entry);
  return [...all.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function header(entry: TarEntry, sizeBytes: number): Uint8Array {
  const block = Buffer.alloc(blockBytes);
  const [type, mode, link, slash] =
    "linkTo" in entry
      ? (["2", 0o777, entry.linkTo, ""] as const)
      : "folderMode" in entry
        ? (["5", entry.folderMode, "", "/"] as const)
        : (["0", entry.mode ?? 0o644, "", ""] as const);
  const name = entry.path + slash;
  for (const text of [name, link]) {
    if (Buffer.byteLength(text) > 100) throw new RangeError(`over 100 bytes: ${text}`);
  }
  const octal = (value: number, offset: number, digits: number) => {
    block.write(value.toString(8).padStart(digits, "0"), offset, "latin1");
  };
  block.write(name, 0);
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(sizeBytes, 124, 11);
  octal(0, 136, 11);
  block.write("        ", 148, "latin1");
  block.write(type, 156, "latin1");
  block.write(link, 157);
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}
