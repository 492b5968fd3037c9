// The operator with exactly the rights that the chart gives it: enough for everything it does, and none that it never uses.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { parse, stringify } from "yaml";
import { cliEntry, until } from "../harness/index.ts";
import { freePorts, type KafkaCluster, startKafka, startZooKeeper } from "../servers/index.ts";
import type { ZooKeeperServer } from "../servers/index.ts";
import { type ControlPlane, startControlPlane, untilServed } from "../servers/kubernetes/index.ts";
import { chart, type Helm, startHelm } from "./helm.ts";
import { monitoringCrds } from "./monitoring.ts";

const account = "system:serviceaccount:operators:rel-kafka-proxy";

/** One line of the API server's audit log. */
interface Asked {
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly requestURI: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code: number };
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** Granted, and asked for in no request of its own. */
const unseen = [
  // The API server asks for it when an owner reference is written, where that is checked.
  /^update kafkaproxy\.dev\/kafkaproxies\/finalizers$/u,
  // An event that is said a second time.
  /^(?:get|patch) \/events$/u,
];

const scopes: readonly (readonly [string, readonly string[]])[] = [
  ["in all namespaces", []],
  ["in one namespace", ["--set=watchNamespace=shop"]],
];

for (const [where, values] of scopes)
  describe(`the operator with the chart's rights ${where}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "kafkaproxy-rights-"));
    let cluster: ControlPlane;
    let kafka: KafkaCluster;
    let zookeeper: ZooKeeperServer;
    let helm: Helm;
    let operator: ChildProcess;
    let log = "";

    before(async () => {
      const policy = join(folder, "audit.yaml");
      const rules = [{ level: "Metadata", users: [account] }, { level: "None" }];
      const kind = { apiVersion: "audit.k8s.io/v1", kind: "Policy" };
      writeFileSync(policy, stringify({ ...kind, omitStages: ["RequestReceived"], rules }));
      const apiServerArgs = [
        `--audit-policy-file=${policy}`,
        "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
      ];
      [cluster, kafka, zookeeper] = await Promise.all([
        startControlPlane({ apiServerArgs }),
        startKafka(),
        startZooKeeper(),
      ]);
      await kafka.createTopic("orders", { partitions: 2 });
      helm = await startHelm(cluster.kubeconfig);
      for (const namespace of ["operators", "shop"])
        await kubectl("create", "namespace", namespace);
      for (const crd of monitoringCrds) await cluster.apply(JSON.stringify(crd));
    });

    after(async () => {
      if (operator?.exitCode === null) {
        operator.kill("SIGKILL");
        await once(operator, "exit");
      }
      helm.close();
      await Promise.all([cluster.stop(), kafka.stop(), zookeeper.stop()]);
      rmSync(folder, { recursive: true, force: true });
    });

    async function kubectl(...args: string[]): Promise<string> {
      const { exitCode, stdout, stderr } = await cluster.kubectl(...args);
      assert.equal(exitCode, 0, `${stderr}\n${log}`);
      return stdout.trim();
    }

    async function read(...args: string[]): Promise<unknown> {
      return JSON.parse(await kubectl("get", ...args, "--namespace=shop", "-o", "json"));
    }

    /** As `until`, while the operator lives. */
    async function eventually(what: string, ask: () => unknown): Promise<void> {
      await until(what, async () => {
        assert.equal(operator.exitCode, null, log);
        return Boolean(await ask());
      });
    }

    async function items(kinds: string): Promise<object[]> {
      return ((await read(kinds)) as { items: object[] }).items;
    }

    /** A kubeconfig that has nothing but the account's token. */
    async function kubeconfigOfTheAccount(): Promise<string> {
      const token = await kubectl("create", "token", "rel-kafka-proxy", "--namespace=operators");
      const config = parse(readFileSync(cluster.kubeconfig, "utf8")) as {
        users: { name: string; user: object }[];
      };
      for (const user of config.users) user.user = { token };
      const file = join(folder, "kubeconfig");
      writeFileSync(file, stringify(config));
      return file;
    }

    /** What the operator asked for, or was refused, as `verb group/resource`; a server-side apply that makes an object asks for both. */
    function asked(): (Asked & { readonly what: string })[] {
      return readFileSync(cluster.auditLog, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Asked)
        .filter(({ user }) => user.username === account)
        .flatMap((line) => {
          const { apiGroup = "", resource, subresource } = line.objectRef ?? { resource: "" };
          const path = [resource, ...(subresource === undefined ? [] : [subresource])].join("/");
          const made = line.verb === "patch" && line.responseStatus?.code === 201;
          const verbs = made ? ["patch", "create"] : [line.verb];
          return verbs.map((verb) => ({ ...line, what: `${verb} ${apiGroup}/${path}` }));
        });
    }

    async function granted(): Promise<string[]> {
      const roles = ["role,clusterrole", "--all-namespaces", "-o", "json"];
      const selector = "--selector=app.kubernetes.io/instance=rel";
      const { items } = JSON.parse(await kubectl("get", ...roles, selector)) as {
        items: { metadata: { name: string }; rules: Rule[] }[];
      };
      return items
        .filter(({ metadata }) => !/-(?:edit|view)$/u.test(metadata.name))
        .flatMap(({ rules }) => rules)
        .flatMap(({ apiGroups, resources, verbs }) =>
          apiGroups.flatMap((group) =>
            resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
          ),
        );
    }

    const resource = (switches: boolean) => ({
      apiVersion: "kafkaproxy.dev/v1alpha1",
      kind: "KafkaProxy",
      metadata: { name: "orders", namespace: "shop" },
      spec: {
        topic: "orders",
        consumerGroup: "billing",
        replicas: 2,
        kafka: { bootstrapServers: kafka.bootstrapServers },
        zookeeper: { servers: [zookeeper.connectString] },
        listener: { tokenSecret: { name: "tokens" } },
        podDisruptionBudget: { enabled: switches },
        networkPolicy: { enabled: switches },
        podMonitor: { enabled: switches },
      },
    });
    const switched = "poddisruptionbudget,networkpolicy,podmonitor";

    it("starts with the arguments of the Deployment", async () => {
      const [port] = await freePorts(1);
      const name = ["rel", chart, "--namespace=operators"];
      await helm.succeeds("install", ...name, `--set=admin.port=${port}`, ...values);
      await untilServed(cluster, "kafkaproxies.kafkaproxy.dev");
      const deployment = JSON.parse(
        await kubectl(
          "get",
          "deployment",
          "rel-kafka-proxy",
          "--namespace=operators",
          "-o",
          "json",
        ),
      );
      const { args } = deployment.spec.template.spec.containers[0] as { args: string[] };
      const env = {
        PATH: process.env["PATH"],
        KUBECONFIG: await kubeconfigOfTheAccount(),
        POD_NAME: "rel-kafka-proxy-0",
        POD_NAMESPACE: "operators",
      };
      const flags = ["--conditions=kafkaproxy-source", cliEntry];
      operator = spawn(process.execPath, [...flags, ...args], { env, stdio: "pipe" });
      for (const stream of [operator.stdout, operator.stderr]) {
        stream?.setEncoding("utf8").on("data", (text: string) => {
          log = (log + text).slice(-100_000);
        });
      }
      await eventually("the operator is ready", async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
        return answer?.status === 200;
      });
    });

    it("brings up proxies, and takes away what is switched off", async () => {
      const secret = ["create", "secret", "generic", "tokens", "--from-literal=tokens=one"];
      await kubectl(...secret, "--namespace=shop");
      await cluster.apply(JSON.stringify(resource(true)));
      await eventually("the StatefulSet asks for two pods", async () => {
        const [set] = (await items("statefulset")) as { spec: { replicas: number } }[];
        return set?.spec.replicas === 2;
      });
      await eventually("all that can be switched is there", async () => {
        return (await items(switched)).length === 3;
      });
      await eventually("the pods are there", async () => (await items("pods")).length === 2);
      await eventually("it says where it stands", async () => {
        const { status } = (await read("kpx", "orders")) as {
          status?: { partitions?: number; conditions?: object[]; lag?: object };
        };
        return status?.partitions === 2 && status.conditions !== undefined && status.lag;
      });
      await eventually("it has written an event", () => {
        return asked().some(({ what }) => what === "create /events");
      });

      await cluster.apply(JSON.stringify(resource(false)));
      await eventually(
        "what was switched off is gone",
        async () => (await items(switched)).length === 0,
      );
    });

    it("was refused nothing", () => {
      const refused = asked().filter(({ responseStatus }) => responseStatus?.code === 403);
      assert.deepEqual(
        refused.map(({ verb, requestURI }) => `${verb} ${requestURI}`),
        [],
      );
      assert.doesNotMatch(log, /forbidden/iu);
    });

    it("has no right that it never uses", async () => {
      await eventually("the lease is renewed", () => {
        return asked().some(({ what }) => what === "update coordination.k8s.io/leases");
      });
      const used = new Set(asked().map(({ what }) => what));
      const idle = (await granted()).filter(
        (right) => !used.has(right) && !unseen.some((pattern) => pattern.test(right)),
      );
      assert.deepEqual(idle, []);
    });

    it("gives its lease back when it is told to end", async () => {
      operator.kill("SIGTERM");
      if (operator.exitCode === null) await once(operator, "exit");
      assert.equal(operator.exitCode, 0, log);
      const holder = await kubectl(
        "get",
        "lease",
        "rel-kafka-proxy",
        "--namespace=operators",
        "-o",
        "jsonpath={.spec.holderIdentity}",
      );
      assert.equal(holder, "");
    });
  });
