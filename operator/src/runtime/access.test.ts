import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import { stringify } from "yaml";
import { findAccess } from "./access.ts";

function folder(context: TestContext, files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), "access-"));
  context.after(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** A kubeconfig with one cluster, user and context of this name. */
const kubeconfig = (name: string, user: object, current = name): string =>
  stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": current,
    clusters: [
      {
        name,
        cluster: {
          server: `https://${name}.example:6443`,
          "certificate-authority-data": base64(`authority of ${name}`),
        },
      },
    ],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: `of-${name}` } }],
  });

const token = { token: "secret-token" };
const inPod = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };

test("as a pod: address, authority, namespace and token of the service account", async (context) => {
  const serviceAccountFolder = folder(context, {
    token: "pod-token\n",
    "ca.crt": "authority\n",
    namespace: "operators",
  });
  const access = await findAccess({ environment: inPod, serviceAccountFolder });
  assert.equal(access.server.href, "https://[fd00::1]:6443/");
  assert.deepEqual(access.tls, { ca: "authority" });
  assert.equal(access.namespace, "operators");
  assert.deepEqual(await access.headers(), { authorization: "Bearer pod-token" });
});

test("a pod without its token says which file, and what to ask", async (context) => {
  const serviceAccountFolder = folder(context, { "ca.crt": "a", namespace: "n" });
  await assert.rejects(findAccess({ environment: inPod, serviceAccountFolder }), {
    code: "bad-access",
    message: `the service account's ${join(serviceAccountFolder, "token")} can't be read: does the pod mount its token?`,
  });
});

test("a kubeconfig with a client certificate, and in a pod too when it is named", async (context) => {
  const path = folder(context, {
    config: kubeconfig("home", {
      "client-certificate-data": base64("certificate"),
      "client-key-data": base64("key"),
    }),
  });
  const file = join(path, "config");
  const access = await findAccess({ kubeconfig: file, environment: inPod });
  assert.equal(access.server.href, "https://home.example:6443/");
  assert.equal(String(access.tls.ca), "authority of home");
  assert.equal(String(access.tls.cert), "certificate");
  assert.equal(String(access.tls.key), "key");
  assert.equal(access.namespace, "of-home");
  assert.deepEqual(await access.headers(), {});
});

test("a kubeconfig with a token", async (context) => {
  const path = folder(context, { config: kubeconfig("home", token) });
  const access = await findAccess({ environment: { KUBECONFIG: join(path, "config") } });
  assert.deepEqual(await access.headers(), { authorization: "Bearer secret-token" });
});

test("KUBECONFIG with several files, as for kubectl: the first current context, a missing file is passed over", async (context) => {
  const path = folder(context, {
    one: kubeconfig("one", token),
    two: kubeconfig("two", { token: "another" }),
  });
  const KUBECONFIG = ["", "one", "missing", "two"]
    .map((name) => (name === "" ? "" : join(path, name)))
    .join(delimiter);
  const access = await findAccess({ environment: { KUBECONFIG } });
  assert.equal(access.server.hostname, "one.example");
  const other = await findAccess({ environment: { KUBECONFIG }, context: "two" });
  assert.equal(other.server.hostname, "two.example");
  assert.deepEqual(await other.headers(), { authorization: "Bearer another" });
});

test("what two of the files name alike is taken from the first, as kubectl does", async (context) => {
  const path = folder(context, {
    one: kubeconfig("home", token),
    two: kubeconfig("home", { token: "another" }),
  });
  const KUBECONFIG = ["one", "two"].map((name) => join(path, name)).join(delimiter);
  const access = await findAccess({ environment: { KUBECONFIG } });
  assert.deepEqual(await access.headers(), { authorization: "Bearer secret-token" });
});

test("an empty KUBECONFIG is none", async (context) => {
  const serviceAccountFolder = folder(context, { token: "t", "ca.crt": "a", namespace: "n" });
  const environment = { ...inPod, KUBECONFIG: "" };
  assert.equal((await findAccess({ environment, serviceAccountFolder })).namespace, "n");
});

test("a context that is not there is named", async (context) => {
  const path = folder(context, { config: kubeconfig("home", token) });
  const kubeconfigFile = join(path, "config");
  await assert.rejects(
    findAccess({ kubeconfig: kubeconfigFile, context: "away", environment: {} }),
    { code: "bad-access", message: "the kubeconfig has no context away" },
  );
});

test("a file that can't be read, or is no kubeconfig, is named with the reason", async (context) => {
  const path = folder(context, { broken: "clusters: [" });
  for (const [name, reason] of [
    ["missing", /ENOENT/u],
    ["broken", /YAML|flow/u],
  ] as const) {
    const file = join(path, name);
    await assert.rejects(findAccess({ kubeconfig: file, environment: {} }), (error: Error) => {
      assert.ok(error.message.startsWith(`the kubeconfig ${file} can't be used: `), error.message);
      assert.match(error.message, reason);
      return true;
    });
  }
});
