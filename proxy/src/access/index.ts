/** Who may come in: tokens and certificates that are read again when they change. */
export { isLoopback } from "./loopback.ts";
export { Tokens, type TokensOptions } from "./tokens.ts";
export { WatchedFiles, type WatchedFilesOptions } from "./watched-files.ts";
