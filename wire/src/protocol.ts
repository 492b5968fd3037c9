/** The highest protocol version that this package speaks. */
export const protocolVersion = 1;

/** The lowest. */
export const minProtocolVersion = 1;

/**
 * The version for a session: the highest that both sides speak, or undefined when there is none
 * (the proxy then answers with the error `protocol-version`).
 */
export function negotiateProtocol(hello: {
  readonly minProtocol: number;
  readonly maxProtocol: number;
}): number | undefined {
  const version = Math.min(hello.maxProtocol, protocolVersion);
  return version >= Math.max(hello.minProtocol, minProtocolVersion) ? version : undefined;
}

/** "KPX1": what hello starts with, so that nobody else's bytes are taken for one. */
export const helloMagic = 0x4b50_5831;

/** Bytes that `looksLikeOtherProtocol` wants to see; with fewer it may not know yet. */
export const sniffBytes = 8;

/** "POST" and so on as the u32 that the first four characters of a request make. */
const httpStarts = new Set(
  ["GET ", "HEAD", "POST", "PUT ", "PATC", "DELE", "OPTI", "CONN", "TRAC", "PRI "].map((start) =>
    Buffer.from(start, "latin1").readUInt32BE(0),
  ),
);

/**
 * Whose protocol the first bytes of a connection belong to, where it is a known other one: for an
 * answer and a log line that a person understands.
 *
 * - "http": a request line, HTTP/2's preface included;
 * - "tls": a ClientHello (to a listener without TLS);
 * - "kafka": a Kafka request. Its API key starts with a zero byte where a frame has its type, and no frame has type 0.
 *
 * undefined: a kafka-proxy client, fewer than `sniffBytes` bytes, or nothing known.
 */
export function looksLikeOtherProtocol(
  firstBytes: Uint8Array,
): "http" | "tls" | "kafka" | undefined {
  if (firstBytes.byteLength < sniffBytes) {
    return undefined;
  }
  const bytes = Buffer.from(firstBytes.buffer, firstBytes.byteOffset, sniffBytes);
  if (httpStarts.has(bytes.readUInt32BE(0))) {
    return "http";
  }
  if (bytes[0] === 0x16 && bytes[1] === 0x03 && bytes[5] === 0x01) {
    return "tls";
  }
  // Kafka: i32 length, i16 API key, i16 API version; both are small numbers in every release.
  const length = bytes.readInt32BE(0);
  const isKafka = length >= 8 && bytes[4] === 0 && bytes[6] === 0 && (bytes[7] ?? 0) < 32;
  return isKafka ? "kafka" : undefined;
}
