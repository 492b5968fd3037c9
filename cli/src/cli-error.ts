/** Exit codes of the command line; `kafkaproxy --help` lists them. */
export const exitCodes = {
  ok: 0,
  /** The command ran and failed. */
  failed: 1,
  /** Wrong arguments, configuration or resource: nothing was started. */
  usage: 2,
  /** What was asked for does not exist. */
  notFound: 3,
  /** Kafka, ZooKeeper or a proxy could not be reached. */
  unavailable: 4,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Ends a command with words for a person and an exit code for a script. */
export class CliError extends Error {
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
  }
}
