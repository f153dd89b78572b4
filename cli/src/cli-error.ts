/** Exit codes of every command (docs/operations.md). */
export const EXIT = { good: 0, found: 1, usage: 2, undecided: 3 } as const;

/**
 * An end of a command that a person can do something about: a sentence that says what is wrong and what to do, no stack.
 */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: 2 | 3;

  constructor(exitCode: 2 | 3, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Wrong use: an unknown flag, a missing argument. */
export function usageError(message: string): CliError {
  return new CliError(EXIT.usage, message);
}

/** Could not decide: unreachable, no permission, malformed input. */
export function undecided(message: string, cause?: unknown): CliError {
  return new CliError(EXIT.undecided, message, { cause });
}
