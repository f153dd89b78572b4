import { VerifierError } from '../verifier-error.ts';
import { isPrintable } from './printable.ts';

/** Largest SBOM that is read. */
export const MAX_SBOM_BYTES = 16 * 1024 * 1024;
/** Most components, nested ones counted. */
export const MAX_COMPONENTS = 100_000;
/** Components within components. */
export const MAX_NESTING = 16;
/** Most properties or occurrences that are looked at for one component. */
export const MAX_DETAILS = 10_000;

/** Makes the error for an SBOM that is refused. */
export const refuseSbom = (message: string, cause?: unknown) =>
  new VerifierError('ERR_VERIFIER_SBOM', `The SBOM was refused: ${message}.`, { cause });

/** Gives the text back, or refuses it when it holds control or bidirectional formatting characters. */
export function checkPrintable(text: string, what: string): string {
  if (!isPrintable(text)) throw refuseSbom(`${what} holds control characters`);
  return text;
}
