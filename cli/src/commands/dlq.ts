import type { Logger } from "@kafkaproxy/kafka";
import {
  bytesJson,
  type DeadLetter,
  findLetter,
  type LetterAnswer,
  letterJson,
  type LetterPlace,
  type ProxyConfig,
  refuseMsgId,
} from "@kafkaproxy/proxy";
import { CliError, type ExitCode, exitCodes } from "../cli-error.ts";
import { type Output, printable } from "../output/index.ts";
import { withServers } from "./target.ts";

const exitCodeOf: Record<Exclude<LetterAnswer["kind"], "found">, ExitCode> = {
  malformed: exitCodes.usage,
  "foreign-topic": exitCodes.notFound,
  "foreign-group": exitCodes.notFound,
  "not-yet-indexed": exitCodes.notFound,
  pruned: exitCodes.notFound,
  unknown: exitCodes.notFound,
  unavailable: exitCodes.unavailable,
};

function bytesAsText(bytes: Uint8Array | null): string {
  const shown = bytesJson(bytes);
  if (shown === null) return "(null)";
  return "text" in shown ? shown.text : `(base64) ${shown.base64}`;
}

function asText(letter: DeadLetter, place: LetterPlace, output: Output): string {
  const lines: [string, string][] = [
    ["msgId", letter.msgId],
    ["group", letter.consumerGroup],
    ["disposition", letter.disposition],
    ["reason", letter.message],
    ["deliveries", String(letter.deliveries)],
    ["first delivered", letter.firstDeliveredAt ?? "unknown"],
    ["dead since", letter.deadAt],
    ["last worker", letter.worker === "" ? "unknown" : letter.worker],
    ["lies at", `${place.topic}, partition ${place.partition}, offset ${place.offset}`],
    ["timestamp", letter.timestamp < 0 ? "none" : new Date(letter.timestamp).toISOString()],
    ...letter.headers.map(({ name, value }): [string, string] => [
      `header ${name}`,
      bytesAsText(value),
    ]),
    ["key", bytesAsText(letter.key)],
    [
      "value",
      letter.pointer
        ? "(too large for the dead-letter topic: read it in the source topic)"
        : bytesAsText(letter.value),
    ],
  ];
  const width = Math.max(...lines.map(([name]) => printable(name).length));
  return lines
    .map(
      ([name, value]) =>
        `${output.paint("dim", printable(name).padEnd(width))}  ${printable(value)}`,
    )
    .join("\n");
}

/** Prints the dead letter of a msgId. @throws CliError when there is none to print, with the reason. */
export async function showDeadLetter(
  config: ProxyConfig,
  msgId: string,
  logger: Logger,
  output: Output,
): Promise<void> {
  const { namespace, topic, consumerGroup } = config;
  const target = { root: config.zookeeper.root, namespace, topic, consumerGroup };
  const answer =
    refuseMsgId(msgId, target) ??
    (await withServers(config, logger, (servers) =>
      findLetter({ ...servers, target, deadLetterTopic: config.deadLetter.topic, logger }, msgId),
    ));
  if (answer.kind !== "found") throw new CliError(exitCodeOf[answer.kind], answer.message);
  const { letter, place } = answer;
  output.result(letterJson(letter, place), asText(letter, place, output));
}
