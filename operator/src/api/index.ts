/** The KafkaProxy resource: one schema for the CRD, its page, and whoever reads one. */
export { crdYaml, customResourceDefinition } from "./crd.ts";
export { commonSettings, type ProxySettings } from "./common-settings.ts";
export { durationMs } from "./kinds.ts";
export { type SecretReference, secretReferences } from "./secret-references.ts";
export {
  parseResource,
  readResource,
  ResourceError,
  type ResourceErrorCode,
  resourceErrorCodes,
} from "./parse.ts";
export {
  apiVersion,
  group,
  type KafkaProxy,
  type KafkaProxyMetadata,
  type KafkaProxySpec,
  kind,
  maxNameLength,
  plural,
  type SecretKeyRef,
  type TlsSecretRef,
  version,
} from "./resource.ts";
export type { ConditionReason } from "./conditions.ts";
export {
  type Problem,
  problemMessage,
  type ProblemReason,
  problemReasons,
  sortedProblems,
} from "./problem.ts";
export {
  type Condition,
  type ConditionType,
  conditionTypes,
  type DeadLetters,
  type KafkaProxyStatus,
  type Lag,
} from "./status.ts";
