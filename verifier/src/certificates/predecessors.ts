import { X509Certificate } from 'node:crypto';

/** More rotations than happen while a verifier that takes enrolments over is away. */
const MAX_PREDECESSORS = 4;
const PREFIX = 'urn:holdfast:succeeds:';
const NAME = /^[0-9a-f]{68,132}$/;

/** The AKs that were rotated before one that follows `before`, by their Names in hex, newest first. */
export function addPredecessor(name: string, before: readonly string[]): readonly string[] {
  return [name, ...before].slice(0, MAX_PREDECESSORS);
}

/** URIs by which an AK's certificate says which AKs were rotated before it. */
export function encodePredecessors(names: readonly string[]): string[] {
  return names.map((name) => `${PREFIX}${name}`);
}

/** The Names in such URIs; undefined where one of them is something else, or there are too many. */
export function parsePredecessors(uris: readonly string[]): string[] | undefined {
  const names = uris.filter((uri) => uri.startsWith(PREFIX)).map((uri) => uri.slice(PREFIX.length));
  const isOnlyThese = names.length === uris.length && names.length <= MAX_PREDECESSORS;
  return isOnlyThese && names.every((name) => NAME.test(name)) ? names : undefined;
}

/** What a certificate of an AK that was verified says of the AKs before it; hex, newest first. */
export function readPredecessors(verified: Uint8Array): readonly string[] {
  const names = new X509Certificate(verified).subjectAltName ?? '';
  const uris = names.split(', ').map((name) => name.replace(/^URI:/, ''));
  return parsePredecessors(uris.filter((uri) => uri.startsWith(PREFIX))) ?? [];
}
