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

/** All values that the resource takes from Secrets. */
export function secretReferences(spec: KafkaProxySpec): readonly SecretReference[] {
  const one = (field: string, ref: SecretKeyRef | undefined, file: string): SecretReference[] =>
    ref === undefined ? [] : [{ field: `spec.${field}`, secret: ref.name, key: ref.key, file }];
  const tls = (field: string, ref: TlsSecretRef | undefined, folder: string): SecretReference[] =>
    ref === undefined
      ? []
      : ["tls.crt", "tls.key"].map((key) => ({
          field: `spec.${field}`,
          secret: ref.name,
          key,
          file: `${folder}/${key}`,
        }));
  return [
    ...one("kafka.tls.caSecret", spec.kafka.tls.caSecret, "kafka/ca.crt"),
    ...tls("kafka.tls.clientSecret", spec.kafka.tls.clientSecret, "kafka"),
    ...one("kafka.sasl.passwordSecret", spec.kafka.sasl?.passwordSecret, "kafka/password"),
    ...one(
      "zookeeper.auth.passwordSecret",
      spec.zookeeper.auth?.passwordSecret,
      "zookeeper/password",
    ),
    ...tls("listener.tls", spec.listener.tls, "listener"),
    ...one("listener.tokenSecret", spec.listener.tokenSecret, "listener/tokens"),
    ...one("admin.tokenSecret", spec.admin.tokenSecret, "admin/tokens"),
  ];
}
