// Holds requests that make objects in the middle: whoever asks for one is then in the middle of its work.
import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { json } from "node:stream/consumers";
import { listenWithin } from "../netns.ts";
import { certificates } from "./certificates.ts";
import type { ControlPlane } from "./control-plane.ts";

/** An object that is about to be made. */
export interface Admission {
  readonly kind: string;
  readonly name: string;
}

export interface AdmissionGate {
  /** From now on such a request gets no answer; resolves when there is one. */
  hold(wanted: Admission): Promise<void>;
  /** Lets pass what is held and what comes. */
  open(): void;
  close(): Promise<void>;
}

interface AdmissionReview {
  readonly request: {
    readonly uid: string;
    readonly name: string;
    readonly kind: { readonly kind: string };
  };
}

/** @param username whose requests pass the gate; those of others never see it. */
export async function startAdmissionGate(
  cluster: ControlPlane,
  username: string,
): Promise<AdmissionGate> {
  const pki = await certificates();
  let wanted: Admission | undefined;
  let seen = Promise.withResolvers<void>();
  let opened = Promise.withResolvers<void>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { uid, name, kind } = ((await json(request)) as AdmissionReview).request;
    if (wanted?.kind === kind.kind && wanted.name === name) {
      seen.resolve();
      await opened.promise;
    }
    const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...review, response: { uid, allowed: true } }));
  };
  const server = createServer(
    {
      key: readFileSync(pki.key("apiserver")),
      cert: readFileSync(pki.certificate("apiserver")),
    },
    (request, response) => void answer(request, response),
  );
  const port = await listenWithin(cluster.netns, server);
  const name = "gate.kafkaproxy.test";
  await cluster.apply(
    JSON.stringify({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name },
      webhooks: [
        {
          name,
          clientConfig: {
            url: `https://127.0.0.1:${port}/`,
            caBundle: readFileSync(pki.ca).toString("base64"),
          },
          rules: [
            { operations: ["CREATE"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*"] },
          ],
          matchConditions: [
            { name: "asked-by", expression: `request.userInfo.username == "${username}"` },
          ],
          failurePolicy: "Fail",
          timeoutSeconds: 30,
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
        },
      ],
    }),
  );
  const open = (): void => {
    wanted = undefined;
    opened.resolve();
  };
  return {
    hold: async (admission) => {
      wanted = admission;
      seen = Promise.withResolvers();
      opened = Promise.withResolvers();
      await seen.promise;
    },
    open,
    close: async () => {
      open();
      await cluster.kubectl("delete", "validatingwebhookconfiguration", name);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
