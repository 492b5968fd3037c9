import { readFile } from "node:fs/promises";
import { ConfigError } from "./config-error.ts";
import { type ConfigSource, type Environment, parseConfig } from "./parse-config.ts";
import type { ProxyConfig } from "./proxy-config.ts";

/**
 * Reads a configuration file: the original's format when its name ends in `.properties`, YAML otherwise.
 * @throws ConfigError when it can't be read or used.
 */
export async function loadConfig(file: string, env: Environment): Promise<ProxyConfig> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : String(cause);
    const problem = { key: "", found, allowed: "a file that can be read" };
    throw new ConfigError("unreadable", file, [problem], { cause });
  }
  return parseConfig({ text, format: formatOf(file), file }, env);
}

/** By the file's name. */
export function formatOf(file: string): ConfigSource["format"] {
  return file.endsWith(".properties") ? "properties" : "yaml";
}
