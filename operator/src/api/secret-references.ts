import type { KafkaProxySpec, SecretKeyRef, TlsSecretRef } from "./resource.ts";

/** A value that the resource takes from a Secret. */
export interface SecretReference {
  /** Field of the resource, such as "spec.kafka.tls.caSecret". */
  readonly field: string;
  /** Name of the Secret in the resource's namespace. */
  readonly secret: string;
  /** Key in its data. */
  readonly key: string;
  /** Where the value stands among the proxy's secret files, such as "kafka/ca.crt". */
  readonly file: string;
}

const one = (field: string, ref: SecretKeyRef | undefined, file: string): SecretReference[] =>
  ref === undefined ? [] : [{ field: `spec.${field}`, secret: ref.name, key: ref.key, file }];

const pair = (field: string, ref: TlsSecretRef | undefined, folder: string): SecretReference[] =>
  ["tls.crt", "tls.key"].flatMap((key) =>
    one(field, ref === undefined ? undefined : { name: ref.name, key }, `${folder}/${key}`),
  );

/** All values that the resource takes from Secrets. */
export function secretReferences(spec: KafkaProxySpec): readonly SecretReference[] {
  const { kafka, zookeeper, listener, admin } = spec;
  return [
    ...one("kafka.tls.caSecret", kafka.tls.caSecret, "kafka/ca.crt"),
    ...pair("kafka.tls.clientSecret", kafka.tls.clientSecret, "kafka"),
    ...one("kafka.sasl.passwordSecret", kafka.sasl?.passwordSecret, "kafka/password"),
    ...one("zookeeper.auth.passwordSecret", zookeeper.auth?.passwordSecret, "zookeeper/password"),
    ...pair("listener.tls", listener.tls, "listener"),
    ...one("listener.tokenSecret", listener.tokenSecret, "listener/tokens"),
    ...one("admin.tokenSecret", admin.tokenSecret, "admin/tokens"),
  ];
}
