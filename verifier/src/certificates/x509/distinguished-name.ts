import { DER, type DerValue, openDer, readOid } from './der.ts';

/** Relative names from the root down, each in a form in which equal ones are equal texts. */
export type DistinguishedName = readonly string[];

const UTF8 = 0x0c;
const BMP = 0x1e;
const BYTES_AS_CHARACTERS = [0x13, 0x14, 0x16];
const COMMON_NAME = '2.5.4.3';

/**
 * Reads a Name (RFC 5280 §4.1.2.4). As §7.1 asks, spelling with other string types, capitals or spaces makes no other
 * name. Throws `DerError`.
 */
export function readDistinguishedName(value: DerValue | undefined): DistinguishedName {
  return openDer(value).map((relative) =>
    openDer(relative, DER.set)
      .map((attribute) => {
        const [type, text] = openDer(attribute);
        return `${readOid(type)}=${text === undefined ? '' : foldText(text)}`;
      })
      .toSorted()
      .join('+'),
  );
}

/** For sentences: the common name where there is one. */
export function describeName(name: DistinguishedName): string {
  const common = name.find((relative) => relative.startsWith(`${COMMON_NAME}=`));
  return common?.slice(COMMON_NAME.length + 1) ?? name.join(', ');
}

export function isSameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return a.length === b.length && isWithin(a, b);
}

/** Whether a name lies in the subtree of `base`, itself included. */
export function isWithin(name: DistinguishedName, base: DistinguishedName): boolean {
  return base.length <= name.length && base.every((relative, at) => relative === name[at]);
}

function foldText({ tag, content, encoded }: DerValue): string {
  const text = decodeText(tag, content);
  // Control characters would let a certificate write into a terminal.
  return text === undefined || /[\p{C}]/u.test(text)
    ? `#${encoded.toString('hex')}`
    : text.trim().replaceAll(/\s+/g, ' ').toLowerCase();
}

function decodeText(tag: number, content: Buffer): string | undefined {
  if (tag === UTF8) return content.toString('utf8');
  if (tag === BMP && content.length % 2 === 0) return Buffer.from(content).swap16().toString('utf16le');
  return BYTES_AS_CHARACTERS.includes(tag) ? content.toString('latin1') : undefined;
}
