import type { LogFields } from './agent-log.ts';

const MAX_DETAIL = 500;

/** Code and sentence of whatever was thrown, for a log line; the stack stands in `err` where nobody foresaw the error. */
export function describeError(error: unknown): LogFields {
  if (!(error instanceof Error)) return { detail: String(error).slice(0, MAX_DETAIL) };
  const code = 'code' in error ? error.code : undefined;
  const detail = error.message.slice(0, MAX_DETAIL);
  return code === undefined ? { detail, err: error } : { code, detail };
}
