import { status } from '@grpc/grpc-js';

const MAX_DETAIL = 300;
/** A refusal by the Verifier has its code in front of the sentence (docs/protocol.md). */
const REFUSAL = /^(ERR_[A-Z0-9_]+): /;

/** What a broken call says, fit for a log line. */
export interface GrpcFailure {
  readonly status: string;
  readonly detail: string;
}

/** Reads status and details out of grpc-js's errors; anything else is UNKNOWN with its message. */
export function describeFailure(error: unknown): GrpcFailure {
  if (!(error instanceof Error)) return { status: 'UNKNOWN', detail: 'unknown failure' };
  const code = 'code' in error ? error.code : undefined;
  const text = 'details' in error && typeof error.details === 'string' ? error.details : error.message;
  const name = typeof code === 'number' ? (status[code] ?? 'UNKNOWN') : typeof code === 'string' ? code : 'UNKNOWN';
  return { status: name, detail: text.slice(0, MAX_DETAIL) };
}

/** The Verifier's code in a broken call; undefined where the call broke otherwise. */
export function readRefusalCode(error: unknown): string | undefined {
  const details = error instanceof Error && 'details' in error ? error.details : undefined;
  return typeof details === 'string' ? REFUSAL.exec(details)?.[1] : undefined;
}
