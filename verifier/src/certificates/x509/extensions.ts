import { DER, DerError, type DerValue, expectDer, listDer, openDer, readBits, readDer, readOid } from './der.ts';
import { type DistinguishedName, readDistinguishedName } from './distinguished-name.ts';

/** Names of one kind that a CA may, or may not, certify. */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** A name with the tag of its kind; `directory` only where it is a distinguished name. */
export interface GeneralName {
  readonly tag: number;
  readonly directory?: DistinguishedName;
}

/** What the extensions say that a chain depends on. */
export interface CertificateExtensions {
  readonly isAuthority: boolean;
  /** CA certificates that may stand between this one and the last of a chain; null for any number. */
  readonly pathLength: number | null;
  /** Null where the key's usage is not restricted. */
  readonly keyUsage: { readonly signsCertificates: boolean; readonly protectsSecrets: boolean } | null;
  /** Object identifiers, null where there are none. */
  readonly extendedKeyUsage: readonly string[] | null;
  readonly alternativeNames: readonly GeneralName[];
  readonly nameConstraints: NameConstraints | null;
  /** Object identifiers of critical extensions that are not understood here: such a certificate must not count. */
  readonly unknownCritical: readonly string[];
}

const DIRECTORY_NAME = 0xa4;
const KEY_USAGE = { keyEncipherment: 2, keyAgreement: 4, keyCertSign: 5 } as const;
const BASIC_CONSTRAINTS = '2.5.29.19';
const KEY_USAGE_OID = '2.5.29.15';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const ALTERNATIVE_NAME = '2.5.29.17';
const NAME_CONSTRAINTS = '2.5.29.30';
/**
 * Read above, or without a bearing on a chain in which any certificate policy will do: directory attributes, key
 * identifiers, alternative names of the issuer, revocation lists, policies, access to the issuer.
 */
const UNDERSTOOD = new Set([
  BASIC_CONSTRAINTS,
  KEY_USAGE_OID,
  EXTENDED_KEY_USAGE,
  ALTERNATIVE_NAME,
  NAME_CONSTRAINTS,
  '2.5.29.9',
  '2.5.29.14',
  '2.5.29.35',
  '2.5.29.18',
  '2.5.29.31',
  '2.5.29.32',
  '1.3.6.1.5.5.7.1.1',
]);

/** Reads the extensions (RFC 5280 §4.2); none where there are none. Throws `DerError`, also for one that stands twice. */
export function readExtensions(field: DerValue | undefined): CertificateExtensions {
  const entries = field === undefined ? [] : openDer(listDer(field.content)[0]).map(readExtension);
  const found = new Map(entries.map((entry) => [entry.oid, entry.value]));
  if (found.size !== entries.length) throw new DerError('an extension stands twice');
  const read = <T>(oid: string, parse: (value: DerValue) => T): T | null => {
    const value = found.get(oid);
    return value === undefined ? null : parse(readDer(value));
  };
  const constraints = read(BASIC_CONSTRAINTS, readBasicConstraints);
  return {
    isAuthority: constraints?.isAuthority ?? false,
    pathLength: constraints?.pathLength ?? null,
    keyUsage: read(KEY_USAGE_OID, readKeyUsage),
    extendedKeyUsage: read(EXTENDED_KEY_USAGE, (value) => openDer(value).map(readOid)),
    alternativeNames: read(ALTERNATIVE_NAME, (value) => openDer(value).map(readGeneralName)) ?? [],
    nameConstraints: read(NAME_CONSTRAINTS, readNameConstraints),
    unknownCritical: entries.filter(({ oid, critical }) => critical && !UNDERSTOOD.has(oid)).map(({ oid }) => oid),
  };
}

function readExtension(value: DerValue): { oid: string; critical: boolean; value: Buffer } {
  const [oid, ...rest] = openDer(value);
  const critical = rest.find(({ tag }) => tag === DER.boolean);
  return {
    oid: readOid(oid),
    critical: critical !== undefined && critical.content[0] !== 0,
    value: expectDer(rest.at(-1), DER.octetString),
  };
}

function readBasicConstraints(value: DerValue): { isAuthority: boolean; pathLength: number | null } {
  const fields = openDer(value);
  const authority = fields.find(({ tag }) => tag === DER.boolean);
  const length = fields.find(({ tag }) => tag === DER.integer)?.content;
  const isAuthority = authority !== undefined && authority.content[0] !== 0;
  if (length === undefined) return { isAuthority, pathLength: null };
  if (length.length === 0 || length.length > 4 || (length[0] ?? 0) > 0x7f) throw new DerError('a path length is none');
  return { isAuthority, pathLength: length.readUIntBE(0, length.length) };
}

function readKeyUsage(value: DerValue): { signsCertificates: boolean; protectsSecrets: boolean } {
  const isSet = readBits(value);
  return {
    signsCertificates: isSet(KEY_USAGE.keyCertSign),
    protectsSecrets: isSet(KEY_USAGE.keyEncipherment) || isSet(KEY_USAGE.keyAgreement),
  };
}

function readGeneralName(value: DerValue): GeneralName {
  if (value.tag !== DIRECTORY_NAME) return { tag: value.tag };
  return { tag: value.tag, directory: readDistinguishedName(listDer(value.content)[0]) };
}

function readNameConstraints(value: DerValue): NameConstraints {
  const fields = openDer(value);
  const readSubtrees = (tag: number) =>
    fields
      .filter((field) => field.tag === tag)
      .flatMap(({ content }) => listDer(content))
      .map((subtree) => {
        const [base] = openDer(subtree);
        if (base === undefined) throw new DerError('a name constraint has no name');
        return readGeneralName(base);
      });
  return { permitted: readSubtrees(0xa0), excluded: readSubtrees(0xa1) };
}
