export { apiVersion, type KafkaProxyResource, proxySettings, readResources } from "./resource.ts";
