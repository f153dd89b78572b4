/** Closes the file of a signed module (Linux `scripts/sign-file.c`). */
const MAGIC = Buffer.from('~Module signature appended~\n', 'latin1');
/** `struct module_signature`: algorithm, hash, id type, lengths of name and key id, padding, big-endian signature length. */
const INFO_BYTES = 12;
const PKCS7 = 2;
const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const OBJECT = 0x06;
const KEY_ID = 0x80;
const CERTIFICATES = 0xa0;
const REVOCATIONS = 0xa1;
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const MAX_NAME_CHARS = 128;

/** Bytes at the end of a module's file in which a signature without certificates has room. */
export const SIGNATURE_TAIL_BYTES = 16 * 1024;

export interface ModuleSignature {
  readonly signature: 'appended' | 'none';
  /** Common name of the issuer of the signer's certificate, else the hex id of its key; null where neither is found. */
  readonly signer: string | null;
}

/**
 * Reads from the end of a module's file whether a signature is appended and whom it names (PKCS#7, RFC 5652). Nothing is
 * verified: the kernel does that when it loads a module, and its taint flags tell how that went.
 */
export function readModuleSignature(tail: Buffer): ModuleSignature {
  const infoAt = tail.length - MAGIC.length - INFO_BYTES;
  if (infoAt < 0 || !tail.subarray(-MAGIC.length).equals(MAGIC)) return { signature: 'none', signer: null };
  const size = tail.readUInt32BE(infoAt + 8);
  const isPkcs7 = tail[infoAt + 2] === PKCS7;
  const signer = isPkcs7 && size <= infoAt ? findSigner(tail.subarray(infoAt - size, infoAt)) : undefined;
  return { signature: 'appended', signer: signer ?? null };
}

interface Item {
  readonly tag: number;
  readonly body: Buffer;
}

/** ContentInfo, SignedData, its last SET, the first SignerInfo in it, and that one's second element. */
function findSigner(der: Buffer): string | undefined {
  const [contentInfo] = readItems(der);
  const [type, content] = readItems(contentInfo?.body);
  if (contentInfo?.tag !== SEQUENCE || type?.tag !== OBJECT) return undefined;
  const [signedData] = readItems(content?.body);
  const signerInfos = readItems(signedData?.body)
    .filter(({ tag }) => tag !== CERTIFICATES && tag !== REVOCATIONS)
    .at(-1);
  if (signerInfos?.tag !== SET) return undefined;
  const [signerInfo] = readItems(signerInfos.body);
  const [version, sid] = readItems(signerInfo?.body);
  if (version?.tag !== INTEGER || sid === undefined) return undefined;
  if (sid.tag === KEY_ID) return sid.body.toString('hex').slice(0, MAX_NAME_CHARS);
  const [issuer] = readItems(sid.body);
  return issuer === undefined ? undefined : findCommonName(issuer.body);
}

function findCommonName(name: Buffer): string | undefined {
  for (const { body } of readItems(name)) {
    for (const attribute of readItems(body)) {
      if (!attribute.body.subarray(0, COMMON_NAME.length).equals(COMMON_NAME)) continue;
      const value = readItems(attribute.body)[1]?.body.toString('utf8');
      return value === undefined || value === '' ? undefined : printable(value);
    }
  }
  return undefined;
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_NAME_CHARS);
}

/** Elements of definite length that follow one another; those before a broken one. */
function readItems(der: Buffer | undefined): Item[] {
  const items: Item[] = [];
  for (let at = 0; der !== undefined && at + 2 <= der.length; ) {
    const head = readLength(der, at + 1);
    if (head === undefined || head.at + head.length > der.length) break;
    items.push({ tag: der.readUInt8(at), body: der.subarray(head.at, head.at + head.length) });
    at = head.at + head.length;
  }
  return items;
}

function readLength(der: Buffer, at: number): { length: number; at: number } | undefined {
  const first = der.readUInt8(at);
  if (first < 0x80) return { length: first, at: at + 1 };
  const bytes = first - 0x80;
  if (bytes < 1 || bytes > 3 || at + 1 + bytes > der.length) return undefined;
  return { length: der.readUIntBE(at + 1, bytes), at: at + 1 + bytes };
}
