import { EvidenceError } from '../evidence-error.ts';
import type { ImaEntry, ImaFileMeasurement } from './ima-entry.ts';

const FIELDS = new Map<string, readonly string[]>([
  ['ima', ['d', 'n']],
  ['ima-ng', ['d-ng', 'n-ng']],
  ['ima-sig', ['d-ng', 'n-ng', 'sig']],
  ['ima-ngv2', ['d-ngv2', 'n-ng']],
  ['ima-sigv2', ['d-ngv2', 'n-ng', 'sig']],
  ['ima-buf', ['d-ng', 'n-ng', 'buf']],
  ['ima-modsig', ['d-ng', 'n-ng', 'sig', 'd-modsig', 'modsig']],
  ['evm-sig', ['d-ng', 'n-ng', 'evmsig', 'xattrnames', 'xattrlengths', 'xattrvalues', 'iuid', 'igid', 'imode']],
]);
const CUSTOM = /^[a-z0-9-]+(?:\|[a-z0-9-]+)*$/;
/** IMA_EVENT_NAME_LEN_MAX and its closing zero: what the old template hashes of a name. */
const OLD_NAME_BYTES = 256;

/** Names of a template's fields; a custom one spells them. Undefined where they are not known. */
export function listTemplateFields(template: string): readonly string[] | undefined {
  return FIELDS.get(template) ?? (template.includes('|') && CUSTOM.test(template) ? template.split('|') : undefined);
}

/** What the kernel hashes: every field with its length, but for the old template, which pads the name instead. */
export function encodeHashed(template: string, fields: readonly Buffer[]): Buffer {
  if (template !== 'ima') return Buffer.concat(fields.flatMap((field) => [encodeLength(field.length), field]));
  const [digest = Buffer.alloc(0), name = Buffer.alloc(0)] = fields;
  return Buffer.concat([digest, name, Buffer.alloc(Math.max(0, OLD_NAME_BYTES - name.length))]);
}

/**
 * Reads file digest and path of an entry. Null where the template has none that this package knows.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_MALFORMED when the fields are not those of the template.
 */
export function readImaMeasurement({ template, fields }: ImaEntry): ImaFileMeasurement | null {
  const names = listTemplateFields(template);
  if (names === undefined || names.length !== fields.length) return null;
  const digestField = fields[names.findIndex((name) => name === 'd' || name === 'd-ng' || name === 'd-ngv2')];
  const pathField = fields[names.findIndex((name) => name === 'n' || name === 'n-ng')];
  if (digestField === undefined || pathField === undefined) return null;
  const path = pathField.at(-1) === 0 ? pathField.subarray(0, -1) : pathField;
  const extra = fields.find((field, index) => index > 1 && field.length > 0) ?? null;
  if (template === 'ima') return { path, algorithm: 'sha1', digest: digestField, digestType: 'ima', extra: null };
  return { path, ...splitDigest(digestField), extra };
}

/** `sha256:` NUL digest, or `verity:sha256:` NUL digest. */
function splitDigest(field: Buffer): Pick<ImaFileMeasurement, 'algorithm' | 'digest' | 'digestType'> {
  const end = field.indexOf(0);
  const match = /^(?:(ima|verity):)?([a-z0-9_-]{1,32}):$/.exec(field.subarray(0, Math.max(0, end)).toString('latin1'));
  if (end < 0 || match === null)
    throw new EvidenceError('ERR_EVIDENCE_MALFORMED', 'IMA entry: digest without algorithm');
  const [, type, algorithm = ''] = match;
  return { algorithm, digest: field.subarray(end + 1), digestType: type === 'verity' ? 'verity' : 'ima' };
}

function encodeLength(length: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(length);
  return bytes;
}
