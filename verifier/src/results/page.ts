import { VerifierError } from '../verifier-error.ts';

const DEFAULT_PAGE = 100;
const MAX_PAGE = 1000;

/** The page size that is used: 100 where none is asked for, 1,000 at most. */
export function clampPageSize(pageSize: number): number {
  return pageSize <= 0 ? DEFAULT_PAGE : Math.min(pageSize, MAX_PAGE);
}

/** Makes the token of the page after `last`. */
export function encodePageToken(last: string): string {
  return Buffer.from(last, 'utf8').toString('base64url');
}

/** The last name of the page before; empty for the first page. Throws `VerifierError` ERR_VERIFIER_MESSAGE. */
export function decodePageToken(token: string): string {
  const text = Buffer.from(token, 'base64url').toString('utf8');
  if (encodePageToken(text) !== token) throw new VerifierError('ERR_VERIFIER_MESSAGE', 'this is no page token');
  return text;
}
