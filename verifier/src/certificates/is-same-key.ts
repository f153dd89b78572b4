import type { KeyObject } from 'node:crypto';

/**
 * Whether two public keys are one. Not by `KeyObject.equals`: for keys of two kinds it leaves an error in OpenSSL's
 * queue, and the next TLS connection that looks there takes it for its own and breaks.
 */
export function isSameKey(a: KeyObject, b: KeyObject): boolean {
  const [first, second] = [a, b].map((key) => key.export({ type: 'spki', format: 'der' }));
  return first !== undefined && second !== undefined && first.equals(second);
}
