import { EvidenceError } from '@holdfast/evidence';

/** PATH_MAX without the final NUL: no runtime can unpack a longer one. */
const MAX_PATH_BYTES = 4095;
const MAX_NAME_BYTES = 255;

/**
 * Splits a path of a tar into names, as written by `path.Clean` of Go and then taken inside the root: empty and `.`
 * parts go, `..` takes the part before it and stops at the root.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED for paths that no file system can hold.
 */
export function splitTarPath(path: string): string[] {
  if (path.length > MAX_PATH_BYTES || path.includes('\0')) throw malformed();
  const names: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') names.pop();
    else if (part !== '' && part !== '.') names.push(part);
    if (part.length > MAX_NAME_BYTES) throw malformed();
  }
  return names;
}

function malformed(): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_MALFORMED', 'tar: a path that no file system can hold');
}
