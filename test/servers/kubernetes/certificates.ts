// The cluster's certificates, made once: they name only addresses of loopback and of the node's own network.
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { once } from "../jars.ts";
import { runProgram } from "../java.ts";
import { need } from "../machine.ts";
import { bridgeAddress, kubernetesServiceAddress, nodeName } from "./addresses.ts";
import { kubernetesHome } from "./binaries.ts";

interface Identity {
  /** The user that it is to the API server. */
  readonly user: string;
  readonly group?: string;
  /** Subject alternative names, for those that serve. */
  readonly names?: string;
}

const identities = {
  admin: { user: "admin", group: "system:masters" },
  apiserver: {
    user: "kube-apiserver",
    group: "system:masters",
    names: `IP:127.0.0.1,IP:${bridgeAddress},IP:${kubernetesServiceAddress},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local`,
  },
  "front-proxy": { user: "front-proxy" },
  kubelet: {
    user: `system:node:${nodeName}`,
    group: "system:nodes",
    names: `IP:${bridgeAddress},DNS:${nodeName}`,
  },
  scheduler: { user: "system:kube-scheduler" },
  proxy: { user: "system:kube-proxy" },
} as const satisfies Record<string, Identity>;

export type IdentityName = keyof typeof identities;

/** Paths of PEM files. */
export interface Certificates {
  readonly ca: string;
  readonly certificate: (name: IdentityName) => string;
  readonly key: (name: IdentityName) => string;
  /** Signs the tokens of service accounts. */
  readonly serviceAccountKey: string;
}

async function openssl(folder: string, ...args: string[]): Promise<void> {
  const { exitCode, stderr } = await runProgram("openssl", args, { cwd: folder });
  if (exitCode !== 0) throw new Error(`openssl ${args.join(" ")} failed: ${stderr}`);
}

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

async function makeAll(folder: string): Promise<void> {
  await need("openssl");
  const tenYears = ["-days", "3650"];
  const ca = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=kafka-proxy-test"];
  await openssl(folder, "req", "-x509", ...ecKey, ...tenYears, ...ca);
  await openssl(folder, "genrsa", "-out", "service-account.key", "2048");
  await Promise.all(
    Object.entries<Identity>(identities).map(async ([name, { user, group, names }]) => {
      const subject = `${group === undefined ? "" : `/O=${group}`}/CN=${user}`;
      const request = ["-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", subject];
      await openssl(folder, "req", "-new", ...ecKey, ...request);
      const usage = "extendedKeyUsage=serverAuth,clientAuth\n";
      const alternatives = names === undefined ? "" : `subjectAltName=${names}\n`;
      writeFileSync(join(folder, `${name}.ext`), usage + alternatives);
      const serial = `0x${randomBytes(8).toString("hex")}`;
      const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", serial];
      const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-extfile", `${name}.ext`];
      await openssl(folder, "x509", "-req", ...authority, ...tenYears, ...files);
    }),
  );
}

/** All of them, made by openssl when they are not there yet; good for ten years. */
export async function certificates(): Promise<Certificates> {
  const folder = join(kubernetesHome, "certificates");
  await once(folder, makeAll);
  return {
    ca: join(folder, "ca.pem"),
    certificate: (name) => join(folder, `${name}.pem`),
    key: (name) => join(folder, `${name}.key`),
    serviceAccountKey: join(folder, "service-account.key"),
  };
}

function base64Of(file: string): string {
  return readFileSync(file).toString("base64");
}

/** Writes the kubeconfig of `identity` for `server`, with everything inside, and gives its path back. */
export function writeKubeconfig(
  file: string,
  server: string,
  identity: IdentityName,
  pki: Certificates,
): string {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "test",
    contexts: [{ name: "test", context: { cluster: "test", user: identity } }],
    clusters: [
      { name: "test", cluster: { server, "certificate-authority-data": base64Of(pki.ca) } },
    ],
    users: [
      {
        name: identity,
        user: {
          "client-certificate-data": base64Of(pki.certificate(identity)),
          "client-key-data": base64Of(pki.key(identity)),
        },
      },
    ],
  };
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 });
  return file;
}
