export { type KafkaProxyResource, proxySettings, readResources } from "./resource.ts";
