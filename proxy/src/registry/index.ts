/** This proxy's ephemeral node in ZooKeeper, where clients find it. */
export { Registry, type RegistryOptions } from "./registry.ts";
