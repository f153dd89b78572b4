import type { Logger } from 'pino';

/** Every name under which a value stands in a log line. Tokens, nonces, package lists and quotes never do. */
export type LogKey =
  | 'kubeNode'
  | 'ueid'
  | 'kid'
  | 'tpm'
  | 'reason'
  | 'chain'
  | 'seq'
  | 'kind'
  | 'containers'
  | 'durationMs'
  | 'address'
  | 'outcome'
  | 'verdict'
  | 'status'
  | 'code'
  | 'detail'
  | 'retryMs'
  | 'peer'
  | 'method'
  | 'lost'
  | 'err';

export type LogFields = Partial<Record<LogKey, unknown>>;

/** Log lines with constant lower-case messages and values under known keys. */
export interface AgentLog {
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Writes through pino. */
export function createAgentLog(logger: Logger): AgentLog {
  return {
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  };
}
