import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type {
  ActivateOptions,
  CertifyOptions,
  CreateOptions,
  LoadOptions,
  QuoteEachOptions,
  QuoteOptions,
  TpmDevice,
  TpmHandle,
} from './tpm-device.ts';

const RH_ENDORSEMENT = Buffer.from('4000000b', 'hex');

/** An error as the binding throws it. */
export class FakeTpmError extends Error {
  readonly code: string;
  readonly rc: number;

  constructor(code: string, rc = 0) {
    super(`${code} 0x${rc.toString(16)}`);
    this.code = code;
    this.rc = rc;
  }
}

interface FakeObject extends TpmHandle {
  flushed: boolean;
  publicArea: Buffer;
  key?: KeyObject;
  auth?: Buffer;
}

/** One machine's TPM: what survives contexts. */
export class FakeTpm {
  /** Changes when the TPM is cleared: blobs of before are then foreign. */
  seed = 'seed-1';
  ekPublic = Buffer.from('an endorsement key of this TPM');
  resetCount = 7;
  readonly pcrs = Array.from({ length: 24 }, () => Buffer.alloc(32));
  readonly nv = new Map<number, Buffer>();
  /** Commands in their order, by name. */
  readonly commands: string[] = [];
  readonly objects = new Set<FakeObject>();
  /** Thrown by the next command of that name. */
  readonly failures = new Map<string, Error>();
  credential: Buffer | undefined;

  open(): FakeTpmDevice {
    return new FakeTpmDevice(this);
  }

  /** Loses what was loaded, as a reset does. */
  reset(): void {
    this.resetCount += 1;
    this.objects.clear();
  }

  begin(command: string): void {
    this.commands.push(command);
    const failure = this.failures.get(command);
    this.failures.delete(command);
    if (failure !== undefined) throw failure;
  }
}

/** A context to a FakeTpm; structures are those of a real one as far as evidence checks them. */
export class FakeTpmDevice implements TpmDevice {
  readonly #tpm: FakeTpm;
  isClosed = false;

  constructor(tpm: FakeTpm) {
    this.#tpm = tpm;
  }

  async readClock(): Promise<Buffer> {
    this.#tpm.begin('readClock');
    const clock = Buffer.alloc(25);
    clock.writeUInt32BE(this.#tpm.resetCount, 16);
    return clock;
  }

  async createPrimary() {
    this.#tpm.begin('createPrimary');
    const publicArea = this.#tpm.ekPublic;
    const object = this.#load({ flushed: false, publicArea, name: nameOf(publicArea) });
    return { object, public: publicArea, name: object.name };
  }

  async create({ template, authValue, parent }: CreateOptions) {
    this.#tpm.begin('create');
    this.#find(parent);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { x = '', y = '' } = privateKey.export({ format: 'jwk' });
    const point = [x, y].flatMap((part) => [Buffer.of(0, 32), Buffer.from(part, 'base64url')]);
    const publicArea = Buffer.concat([template.subarray(0, -4), ...point]);
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    const blob = { seed: this.#tpm.seed, pem, auth: authValue.toString('hex') };
    return { private: Buffer.from(JSON.stringify(blob)), public: publicArea };
  }

  async load({ private: blob, public: publicArea, parent }: LoadOptions): Promise<TpmHandle> {
    this.#tpm.begin('load');
    this.#find(parent);
    const { seed, pem, auth } = JSON.parse(blob.toString());
    if (seed !== this.#tpm.seed) throw new FakeTpmError('ERR_TPM', 0x1df);
    const key = createPrivateKey(String(pem));
    return this.#load({ flushed: false, publicArea, name: nameOf(publicArea), key, auth: Buffer.from(auth, 'hex') });
  }

  async quote({ key, authValue, qualifyingData, selection }: QuoteOptions) {
    this.#tpm.begin('quote');
    const ak = this.#find(key, authValue);
    const composite = createHash('sha256');
    for (const pcr of listSelected(selection)) composite.update(this.#tpm.pcrs[pcr] ?? Buffer.alloc(32));
    return this.#attest(ak, 0x8018, qualifyingData, Buffer.concat([selection, sized(composite.digest())]));
  }

  async quoteEach({ selections, ...options }: QuoteEachOptions) {
    return await Promise.all(selections.map((selection) => this.quote({ ...options, selection })));
  }

  async certify({ object, objectAuth, signer, signerAuth, qualifyingData }: CertifyOptions) {
    this.#tpm.begin('certify');
    const { name } = this.#find(object, objectAuth);
    const ak = this.#find(signer, signerAuth);
    return this.#attest(ak, 0x8017, qualifyingData, Buffer.concat([sized(name), sized(name)]));
  }

  async sign({ key, authValue, digest }: { key: TpmHandle; authValue: Buffer; digest: Buffer }) {
    this.#tpm.begin('sign');
    // node:crypto signs no digest as it is: a real TPM's signature would be over the message, this is over its digest.
    return { signature: signatureOf(this.#find(key, authValue), digest) };
  }

  async activateCredential({ key, keyAuth, ek, idObject }: ActivateOptions): Promise<Buffer> {
    this.#tpm.begin('activateCredential');
    this.#find(key, keyAuth);
    this.#find(ek);
    return Buffer.from(idObject).reverse();
  }

  async pcrRead(selection: Buffer) {
    this.#tpm.begin('pcrRead');
    const digests = listSelected(selection).slice(0, 8);
    return { selection, digests: digests.map((pcr) => Buffer.from(this.#tpm.pcrs[pcr] ?? Buffer.alloc(32))) };
  }

  async nvIndexes(): Promise<number[]> {
    return [...this.#tpm.nv.keys()];
  }

  async nvRead(index: number): Promise<Buffer> {
    this.#tpm.begin('nvRead');
    const content = this.#tpm.nv.get(index);
    if (content === undefined) throw new FakeTpmError('ERR_TPM', 0x18b);
    return content;
  }

  async flush(object: TpmHandle): Promise<void> {
    this.#tpm.begin('flush');
    this.#tpm.objects.delete(this.#find(object));
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  #load(object: FakeObject): FakeObject {
    if (this.#tpm.objects.size >= 3) throw new FakeTpmError('ERR_TPM', 0x902);
    this.#tpm.objects.add(object);
    return object;
  }

  #find(handle: TpmHandle, auth?: Buffer): FakeObject {
    const found = [...this.#tpm.objects].find((object) => object === handle);
    if (found === undefined) throw new FakeTpmError('ERR_TPM', 0x910);
    if (auth !== undefined && !found.auth?.equals(auth)) throw new FakeTpmError('ERR_TPM', 0x98e);
    return found;
  }

  #attest(ak: FakeObject, type: number, qualifyingData: Buffer, attested: Buffer) {
    const head = Buffer.alloc(6);
    head.writeUInt32BE(0xff544347);
    head.writeUInt16BE(type, 4);
    const clock = Buffer.alloc(25);
    clock.writeBigUInt64BE(BigInt(this.#tpm.commands.length));
    clock.writeUInt32BE(this.#tpm.resetCount, 8);
    clock.writeUInt8(1, 16);
    const ekQualified = nameOf(Buffer.concat([RH_ENDORSEMENT, nameOf(this.#tpm.ekPublic)]));
    const qualifiedSigner = nameOf(Buffer.concat([ekQualified, ak.name]));
    const attest = Buffer.concat([head, sized(qualifiedSigner), sized(qualifyingData), clock, attested]);
    return { attest, signature: signatureOf(ak, attest) };
  }
}

function nameOf(content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0, 0x0b), createHash('sha256').update(content).digest()]);
}

function sized(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(bytes.length >> 8, bytes.length & 0xff), bytes]);
}

function signatureOf({ key }: FakeObject, message: Buffer): Buffer {
  if (key === undefined) throw new FakeTpmError('ERR_TPM', 0x19c);
  const raw = sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' });
  return Buffer.concat([Buffer.of(0, 0x18, 0, 0x0b), sized(raw.subarray(0, 32)), sized(raw.subarray(32))]);
}

function listSelected(selection: Buffer): number[] {
  const bitmap = selection.subarray(7);
  return Array.from({ length: 24 }, (_, pcr) => pcr).filter((pcr) => ((bitmap[pcr >> 3] ?? 0) >> (pcr & 7)) & 1);
}
