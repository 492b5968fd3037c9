/** Container images without a builder or a registry. */
export { type Image, writeArchive } from "./archive.ts";
export { bundle, packageFiles } from "./bundle.ts";
export { buildImages, type ImageArchives, unpackImages } from "./images.ts";
export { tar, type TarEntry } from "./tar.ts";
