/** What to say to somebody who speaks another protocol. */
import type { looksLikeOtherProtocol } from "@kafkaproxy/wire";

export type OtherProtocol = NonNullable<ReturnType<typeof looksLikeOtherProtocol>>;

/** Words for the log and for the peer. */
export const strangerWords: Readonly<Record<OtherProtocol, string>> = {
  http: "An HTTP request came to the port for kafka-proxy workers. Health, metrics and status are on the admin port (10667 unless configured).",
  tls: "A TLS connection came to a port without TLS. Set listener.tls here, or connect without TLS.",
  kafka:
    "A Kafka client came to the port for kafka-proxy workers. Connect Kafka clients to the brokers, and workers with the kafka-proxy client.",
};

/** A whole HTTP/1.1 answer. */
export function httpAnswer(): Buffer {
  const body = `${strangerWords.http}\n`;
  return Buffer.from(
    [
      "HTTP/1.1 400 Bad Request",
      "Content-Type: text/plain; charset=utf-8",
      `Content-Length: ${Buffer.byteLength(body)}`,
      "Connection: close",
      "",
      body,
    ].join("\r\n"),
  );
}
