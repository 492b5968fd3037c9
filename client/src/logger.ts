/** Where the client says what happened; pino's shape, so a pino logger fits as it is. */
export interface Logger {
  /** For whoever looks for a fault. */
  debug(fields: object, message: string): void;
  /** What is as it should be. */
  info(fields: object, message: string): void;
  /** What mends itself, or may. */
  warn(fields: object, message: string): void;
  /** What wants somebody. */
  error(fields: object, message: string): void;
}

const nothing = (): void => undefined;

/** The default: says nothing. Events tell the same. */
export const silentLogger: Logger = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
};
