import { createHash } from 'node:crypto';

/** What of an entry differs from the usual. */
export interface ImaEntryOptions {
  /** Default `ima-ng`. */
  readonly template?: string;
  /** The kernel writes zeros and extends ones. */
  readonly isViolation?: boolean;
}

/** Templates that a kernel can be told to use. */
export const IMA_TEMPLATES = [
  'ima',
  'ima-ng',
  'ima-sig',
  'ima-ngv2',
  'ima-sigv2',
  'ima-buf',
  'ima-modsig',
  'evm-sig',
] as const;

const OLD_NAME_BYTES = 256;

/** One entry of a measurement list in the kernel's binary form, about a file with this path and SHA-256. */
export function encodeImaEntry(path: string, sha256: string, options: ImaEntryOptions = {}): Buffer {
  const { template = 'ima-ng', isViolation = false } = options;
  const fields = listFields(template, path, sha256);
  const data = template === 'ima' ? joinOldFields(fields) : Buffer.concat(fields.map(sized));
  const hashed = template === 'ima' ? padOldFields(fields) : data;
  const digest = isViolation ? Buffer.alloc(20) : createHash('sha1').update(hashed).digest();
  const body = template === 'ima' ? data : sized(data);
  return Buffer.concat([u32(10), digest, sized(Buffer.from(template)), body]);
}

function listFields(template: string, path: string, sha256: string): Buffer[] {
  const digest = Buffer.from(sha256, 'hex');
  const name = Buffer.from(`${path}\0`, 'utf8');
  const ng = Buffer.concat([Buffer.from('sha256:\0'), digest]);
  const ngv2 = Buffer.concat([Buffer.from('ima:sha256:\0'), digest]);
  const signature = Buffer.from('030204', 'hex');
  switch (template) {
    case 'ima':
      return [digest.subarray(0, 20), Buffer.from(path)];
    case 'ima-ng':
      return [ng, name];
    case 'ima-ngv2':
      return [ngv2, name];
    case 'ima-sigv2':
      return [ngv2, name, signature];
    case 'ima-modsig':
      return [ng, name, Buffer.alloc(0), ng, signature];
    case 'evm-sig':
      return [
        ng,
        name,
        signature,
        Buffer.from('security.ima\0'),
        u32(3),
        signature,
        u32(0),
        u32(0),
        signature.subarray(0, 2),
      ];
    default:
      return [ng, name, signature];
  }
}

function joinOldFields([digest = Buffer.alloc(0), name = Buffer.alloc(0)]: Buffer[]): Buffer {
  return Buffer.concat([digest, sized(name)]);
}

function padOldFields([digest = Buffer.alloc(0), name = Buffer.alloc(0)]: Buffer[]): Buffer {
  return Buffer.concat([digest, name, Buffer.alloc(OLD_NAME_BYTES - name.length)]);
}

function sized(field: Buffer): Buffer {
  return Buffer.concat([u32(field.length), field]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
