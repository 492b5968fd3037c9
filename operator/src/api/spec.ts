/** What a user writes under `spec`. Settings that a proxy knows come from the proxy's own schema. */
import { settingsSchema } from "@kafkaproxy/proxy";
import { z } from "zod";
import { fieldsOf, fromSettings, shapeOfSection } from "./from-settings.ts";
import { type CelRule, inWords, pattern, whole, yesNo } from "./kinds.ts";
import { podSection } from "./pod.ts";
import { deliveryRules, kafkaRules, otherPort, specRules } from "./rules.ts";
import {
  defaulted,
  described,
  fields,
  optional,
  optionalSection,
  required,
  section,
} from "./section.ts";

const settings = settingsSchema.shape;
const at = (schema: z.ZodType, key: string): z.ZodType => {
  const found = shapeOfSection(schema)[key];
  if (found === undefined) throw new Error(`the settings have no key ${key}`);
  return found;
};

const withRules = (schema: z.ZodType, rules: readonly (CelRule & { fieldPath?: string })[]) =>
  schema.meta({ ...schema.meta(), "x-kubernetes-validations": rules });

/** Rules of a value; one with a default has them inside. */
function rulesOf(schema: z.ZodType): readonly CelRule[] {
  const value = schema instanceof z.ZodPrefault ? (schema.unwrap() as z.ZodType) : schema;
  return (value.meta()?.["x-kubernetes-validations"] ?? []) as readonly CelRule[];
}

/** A value that stays as it was when the resource was made. */
function immutable(schema: z.ZodType, what: string): z.ZodType {
  const message = `${what} can't be changed: what is under way belongs to it. Make another KafkaProxy.`;
  return withRules(schema, [...rulesOf(schema), { rule: "self == oldSelf", message }]);
}

const objectName = pattern(
  "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
  "the name of a Secret of the same namespace",
  253,
);
const secretKey = pattern("^[a-zA-Z0-9._-]+$", "a key of the Secret's data", 253);

/** One value of a Secret. */
function fromSecret(key: string, description: string, isRequired = false): z.ZodType {
  const schema = fields({
    name: required(objectName, "Name of the Secret, in the namespace of the KafkaProxy."),
    key: defaulted(secretKey, key, "Key in its data."),
  });
  return isRequired ? required(schema, description) : optional(schema, description);
}

const tlsSecret = fields({
  name: required(
    objectName,
    "Name of a Secret of type kubernetes.io/tls, in the namespace of the KafkaProxy: tls.crt and tls.key.",
  ),
});

const kafkaTls = section("TLS to the brokers.", {
  ...fieldsOf(at(settings.kafka, "tls"), ["caFile", "certFile", "keyFile"]),
  caSecret: fromSecret("ca.crt", "Certificates of the authorities to trust, PEM."),
  clientSecret: optional(tlsSecret, "Certificate and key of this client."),
});

const password = (of: string) => fromSecret("password", `Its password at ${of}.`, true);

const kafka = withRules(
  section("The cluster, and the proxies' membership in the consumer group.", {
    ...fieldsOf(settings.kafka, ["tls", "sasl"]),
    tls: kafkaTls,
    sasl: optionalSection("SASL log-in to the brokers; without it there is none.", {
      ...fieldsOf(at(settings.kafka, "sasl"), ["password", "passwordFile"]),
      passwordSecret: password("the brokers"),
    }),
  }),
  kafkaRules,
);

const zookeeper = section("Where clients find the proxies, and the index of dead letters.", {
  ...fieldsOf(settings.zookeeper, ["root", "auth"]),
  root: immutable(fromSettings(at(settings.zookeeper, "root")), "spec.zookeeper.root"),
  auth: optionalSection("Digest log-in; nodes that the proxies make are then their own.", {
    ...fieldsOf(at(settings.zookeeper, "auth"), ["password", "passwordFile"]),
    passwordSecret: password("ZooKeeper"),
  }),
});

// Pods run without the right to bind lower ports.
const podPort = whole(1_024, 65_535);

const listener = section("Where workers connect.", {
  port: defaulted(podPort, defaultOf(at(settings.listener, "port")), "Port of each pod."),
  ...fieldsOf(settings.listener, ["host", "port", "tls", "tokenFile", "advertisedHost"]),
  advertisedHost: described(
    fromSettings(at(settings.listener, "advertisedHost")),
    "Where workers find a proxy, for workers outside of the cluster. Default: the pod's address; with tls its name, <pod>.<name>-proxy.<namespace>.svc.",
  ),
  tls: optional(tlsSecret, "TLS for workers. A Secret that changes rolls the pods."),
  tokenSecret: fromSecret(
    "tokens",
    "The tokens that workers may present, one a line. Without them and tls anybody who reaches the port reads and settles messages.",
  ),
});

const admin = section("HTTP for people and probes, on each pod.", {
  port: defaulted(podPort, defaultOf(at(settings.admin, "port")), "Port of each pod."),
  tokenSecret: fromSecret(
    "tokens",
    "The tokens that may read messages over HTTP, one a line. Without them nobody may.",
  ),
});

function defaultOf(schema: z.ZodType): unknown {
  return schema instanceof z.ZodPrefault ? schema.def.defaultValue : undefined;
}

const delivery = withRules(fromSettings(settings.delivery), deliveryRules);

const switches = {
  podDisruptionBudget: section("Limits what a drain of nodes takes away at once.", {
    enabled: defaulted(yesNo, true, "Have one."),
    maxUnavailable: defaulted(whole(1, 1_000), 1, "Pods that may be missing at once."),
  }),
  networkPolicy: section(
    "Who may connect to the pods. Without it everybody; the probes' and metrics' port stays open.",
    {
      enabled: defaulted(yesNo, false, "Have one."),
      workers: optional(
        z
          .array(z.looseObject({}).meta({ "x-kubernetes-preserve-unknown-fields": true }))
          .min(1, { error: "must be a list of 1 to 64 peers; none lets everybody in" })
          .max(64)
          .meta({ allowed: "1 to 64 peers as in a NetworkPolicy's ingress.from" }),
        "From where workers connect. Default: from all pods of the same namespace.",
      ),
    },
  ),
  podMonitor: section("Scraping by the Prometheus operator.", {
    enabled: defaulted(yesNo, false, "Have a PodMonitor, where its CRD is installed."),
    interval: defaulted(
      inWords("^([0-9]{1,6}(ms|s|m|h))+$", "a duration without fractions, such as 30s", 32),
      "30s",
      "How often.",
    ),
    labels: optional(
      z.record(z.string(), z.string().max(63)).meta({ allowed: "labels" }),
      "Labels by which Prometheus selects it.",
    ),
  }),
};

const portsDiffer = (spec: Record<string, unknown>): boolean =>
  portOf(spec, "listener") !== portOf(spec, "admin");
const portOf = (spec: Record<string, unknown>, section: string): unknown =>
  (spec[section] as { port: number }).port;

/** The whole of `spec`, checked; defaults are filled in as they are written. */
export const specSchema = withRules(
  described(
    fields({
      topic: immutable(fromSettings(settings.topic), "spec.topic"),
      consumerGroup: immutable(fromSettings(settings.consumerGroup), "spec.consumerGroup"),
      replicas: defaulted(
        whole(0, 1_000),
        1,
        "How many proxy pods there are to be; more than the topic has partitions are never started.",
      ),
      paused: fromSettings(settings.paused),
      kafka,
      zookeeper,
      queue: fromSettings(settings.queue),
      delivery,
      pull: fromSettings(settings.pull),
      push: fromSettings(settings.push),
      commit: fromSettings(settings.commit),
      deadLetter: fromSettings(settings.deadLetter),
      listener,
      admin,
      drainTimeout: fromSettings(settings.drainTimeout),
      log: fromSettings(settings.log),
      pod: podSection,
      ...switches,
    }).refine(portsDiffer, { error: otherPort, path: ["admin", "port"] }),
    "What the proxies are to do.",
  ),
  specRules,
) as ReturnType<typeof fields>;
