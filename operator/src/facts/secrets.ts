import { type KafkaProxy, secretReferences } from "../api/index.ts";
import {
  readSecrets,
  type SecretObject,
  type SecretObjects,
  type SecretsFact,
} from "../desired/index.ts";
import { isKubeError, type KubeClient, pathOf } from "../runtime/index.ts";

export interface SeenSecrets {
  readonly objects: SecretObjects;
  readonly fact: SecretsFact;
}

const secretKind = { apiVersion: "v1", kind: "Secret", plural: "secrets" };

/**
 * The resource's Secrets, one by one by name, so that the right to list Secrets is not needed.
 * @throws KubeError when the API server can't be asked.
 */
export async function seeSecrets(
  client: KubeClient,
  resource: KafkaProxy,
  signal: AbortSignal,
): Promise<SeenSecrets> {
  const { metadata, spec } = resource;
  const objects: Record<string, SecretObject | undefined> = {};
  const refused: Record<string, string> = {};
  for (const { secret } of secretReferences(spec)) {
    if (Object.hasOwn(objects, secret)) continue;
    const path = pathOf(secretKind, metadata.namespace, secret);
    try {
      objects[secret] = await client.request<SecretObject>("GET", path, { signal });
    } catch (error) {
      if (!isKubeError(error, "not-found", "forbidden")) throw error;
      objects[secret] = undefined;
      if (error.code === "forbidden") refused[secret] = error.message;
    }
  }
  return { objects, fact: readSecrets(resource, objects, refused) };
}
