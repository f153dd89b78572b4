import type { Certificate } from './certificate.ts';
import { isWithin } from './distinguished-name.ts';
import type { GeneralName, NameConstraints } from './extensions.ts';

const DIRECTORY_NAME = 0xa4;

/**
 * Whether all names of a certificate are ones that a CA above it may certify (RFC 5280 §4.2.1.10). Distinguished names
 * are compared. For names of other kinds there is no comparison: a certificate that has one of a constrained kind fails.
 */
export function checkNameConstraints(
  { subject, extensions }: Certificate,
  { permitted, excluded }: NameConstraints,
): boolean {
  const names: GeneralName[] = [...extensions.alternativeNames];
  if (subject.length > 0) names.push({ tag: DIRECTORY_NAME, directory: subject });
  return names.every((name) => {
    const allowed = permitted.filter(({ tag }) => tag === name.tag);
    const denied = excluded.filter(({ tag }) => tag === name.tag);
    if (name.directory === undefined) return allowed.length === 0 && denied.length === 0;
    return (allowed.length === 0 || covers(allowed, name)) && !covers(denied, name);
  });
}

function covers(subtrees: readonly GeneralName[], { directory = [] }: GeneralName): boolean {
  return subtrees.some((subtree) => isWithin(directory, subtree.directory ?? []));
}
