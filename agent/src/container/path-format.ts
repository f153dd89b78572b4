import { formatBytePath, joinBytePath, toBytePath } from '@holdfast/evidence/documents';

const ROOT = toBytePath('/');

/** Writes bytes (latin1) that may be a path, a device or any word, as `formatBytePath` writes the parts of a path. */
export function formatForeignPath(text: string): string {
  return text
    .split('/')
    .map((part) =>
      part === '' || part === '.' || part === '..' ? part : formatBytePath(joinBytePath(ROOT, part)).slice(1),
    )
    .join('/');
}
