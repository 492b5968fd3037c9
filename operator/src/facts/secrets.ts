import { type KafkaProxy, secretReferences } from "../api/index.ts";
import { readSecrets, type SecretData, type SecretsFact } from "../desired/index.ts";
import { isKubeError, type KubeClient, pathOf } from "../runtime/index.ts";

export interface SeenSecrets {
  readonly data: SecretData;
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
  const data: Record<string, SecretData[string]> = {};
  const refused: Record<string, string> = {};
  for (const { secret } of secretReferences(spec)) {
    if (Object.hasOwn(data, secret)) continue;
    const path = pathOf(secretKind, metadata.namespace, secret);
    try {
      const answer = await client.request<{ data?: Record<string, string> }>("GET", path, {
        signal,
      });
      data[secret] = answer.data ?? {};
    } catch (error) {
      if (!isKubeError(error, "not-found", "forbidden")) throw error;
      data[secret] = undefined;
      if (error.code === "forbidden") refused[secret] = error.message;
    }
  }
  return { data, fact: readSecrets(resource, data, refused) };
}
