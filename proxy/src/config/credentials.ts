import { readFile } from "node:fs/promises";
import type { KafkaConfig, ZooKeeperConfig } from "./proxy-config.ts";
import { readSecret } from "./secret.ts";

/** What a connection to Kafka needs beside addresses, its files read. */
export interface KafkaCredentials {
  readonly tls:
    | {
        readonly ca?: string;
        readonly cert?: string;
        readonly key?: string;
        readonly serverName?: string;
        readonly rejectUnauthorized: boolean;
      }
    | undefined;
  readonly sasl:
    | {
        readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
        readonly username: string;
        readonly password: string;
      }
    | undefined;
}

/**
 * Reads the certificates and the password that the configuration names.
 * @throws the file system's error when one can't be read; it names the path.
 */
export async function readKafkaCredentials({ tls, sasl }: KafkaConfig): Promise<KafkaCredentials> {
  return {
    tls: tls && {
      ...(tls.caFile === undefined ? {} : { ca: await readFile(tls.caFile, "utf8") }),
      ...(tls.certFile === undefined ? {} : { cert: await readFile(tls.certFile, "utf8") }),
      ...(tls.keyFile === undefined ? {} : { key: await readFile(tls.keyFile, "utf8") }),
      ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
      rejectUnauthorized: !tls.insecureSkipVerify,
    },
    sasl: sasl && {
      mechanism: sasl.mechanism,
      username: sasl.username,
      password: await readSecret(sasl.password),
    },
  };
}

/** Credentials in ZooKeeper's digest scheme, "user:password"; undefined without a log-in. */
export async function readZooKeeperCredentials({
  auth,
}: ZooKeeperConfig): Promise<{ scheme: "digest"; credentials: string } | undefined> {
  if (auth === undefined) return undefined;
  return { scheme: "digest", credentials: `${auth.username}:${await readSecret(auth.password)}` };
}
