import { destination, type Logger, pino } from 'pino';
import type { VerifierConfig } from './config/verifier-config.ts';

/** Makes the verifier's logger: JSON lines on standard error, in the order in which things happened. */
export function createVerifierLog({ logLevel }: Pick<VerifierConfig, 'logLevel'>): Logger {
  return pino({ level: logLevel, name: 'verifier' }, destination({ fd: 2, sync: true }));
}

/** What of a thrown value goes into a log line. */
export function describeError(error: unknown): { error: string; code?: string } {
  if (!(error instanceof Error)) return { error: String(error) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return { error: error.message, ...(code === undefined ? {} : { code }) };
}
