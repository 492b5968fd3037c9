/** The configuration of a proxy: one schema for defaults, docs, errors and the operator's resource. */
export {
  ConfigError,
  type ConfigErrorCode,
  configErrorCodes,
  type ConfigProblem,
} from "./config-error.ts";
export {
  type KafkaCredentials,
  readKafkaCredentials,
  readZooKeeperCredentials,
} from "./credentials.ts";
export { wantsKafkaTls } from "./derived.ts";
export type { KindOfValue } from "./kinds.ts";
export { formatOf, loadConfig } from "./load-config.ts";
export { type Machine, thisMachine } from "./normalise.ts";
export { type ConfigSource, type Environment, parseConfig, parseSettings } from "./parse-config.ts";
export type {
  AdminConfig,
  KafkaConfig,
  KafkaSaslConfig,
  KafkaTlsConfig,
  ListenerConfig,
  ProxyConfig,
  ZooKeeperConfig,
} from "./proxy-config.ts";
export { ruleNames } from "./rules.ts";
export { environmentSecrets, type SettingsInput, settingsSchema } from "./schema.ts";
export { readSecret, Secret, type SecretSource } from "./secret.ts";
