import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** An OCI image layout and, where the name has one, what stands behind it: a tag, a full name or a digest. */
export interface LayoutName {
  readonly directory: string;
  readonly ref: string | undefined;
}

/**
 * Finds the layout that `DIRECTORY` or `DIRECTORY:REF` names: at the first colon from the left with a layout before it, for
 * directories and references may both hold colons. What exists under the whole name is meant by it. Undefined where there
 * is no layout.
 */
export function findLayout(name: string): LayoutName | undefined {
  if (existsSync(name)) return isLayout(name) ? { directory: name, ref: undefined } : undefined;
  for (let colon = name.indexOf(':', 1); colon !== -1; colon = name.indexOf(':', colon + 1)) {
    const directory = name.slice(0, colon);
    if (isLayout(directory)) return { directory, ref: name.slice(colon + 1) };
  }
  return undefined;
}

/** Some tools leave `oci-layout` out. As a root directory such a layout would be one without a package. */
function isLayout(directory: string): boolean {
  const has = (name: string) => existsSync(join(directory, name));
  return has('oci-layout') || (has('index.json') && has('blobs') && !has('etc'));
}
