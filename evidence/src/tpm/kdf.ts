import { createHmac, hash } from 'node:crypto';
import { BinaryWriter } from '../encoding/binary-writer.ts';
import { type HashAlgorithm, hashByName } from './algorithm.ts';

interface KdfInput {
  readonly algorithm: HashAlgorithm;
  /** ASCII without the closing zero, which is added. */
  readonly label: string;
  readonly bytes: number;
}

/** KDFa (TPM 2.0 part 1, 11.4.10.2): SP800-108 in counter mode with HMAC. */
export function deriveKdfa(
  input: KdfInput & { key: Uint8Array; contextU?: Uint8Array; contextV?: Uint8Array },
): Buffer {
  const { nodeName } = hashByName(input.algorithm);
  const context = Buffer.concat([input.contextU ?? Buffer.alloc(0), input.contextV ?? Buffer.alloc(0)]);
  return repeatUntil(input.bytes, (counter) => {
    const message = new BinaryWriter()
      .u32(counter)
      .bytes(encodeLabel(input.label))
      .bytes(context)
      .u32(input.bytes * 8);
    return createHmac(nodeName, input.key).update(message.finish()).digest();
  });
}

/** KDFe (TPM 2.0 part 1, 11.4.10.3): SP800-56A with a hash over the shared x coordinate. */
export function deriveKdfe(input: KdfInput & { z: Uint8Array; partyU: Uint8Array; partyV: Uint8Array }): Buffer {
  const { nodeName } = hashByName(input.algorithm);
  return repeatUntil(input.bytes, (counter) => {
    const message = new BinaryWriter().u32(counter).bytes(input.z).bytes(encodeLabel(input.label));
    return hash(nodeName, message.bytes(input.partyU).bytes(input.partyV).finish(), 'buffer');
  });
}

/** MGF1 of PKCS #1 (RFC 8017, B.2.1), which counts from zero. */
export function deriveMgf1(algorithm: HashAlgorithm, seed: Uint8Array, bytes: number): Buffer {
  const { nodeName } = hashByName(algorithm);
  return repeatUntil(bytes, (counter) =>
    hash(
      nodeName,
      new BinaryWriter()
        .bytes(seed)
        .u32(counter - 1)
        .finish(),
      'buffer',
    ),
  );
}

/** A label ends with a zero byte. */
export function encodeLabel(label: string): Buffer {
  return Buffer.from(`${label}\0`, 'ascii');
}

function repeatUntil(bytes: number, block: (counter: number) => Buffer): Buffer {
  const blocks: Buffer[] = [];
  let length = 0;
  for (let counter = 1; length < bytes; counter += 1) {
    const next = block(counter);
    blocks.push(next);
    length += next.length;
  }
  return Buffer.concat(blocks).subarray(0, bytes);
}
