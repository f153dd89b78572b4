import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type AttesterMessage, AttesterMessageSchema, type VerifierMessage } from '@holdfast/proto';
import {
  createVerifierCore,
  loadTrust,
  loadVerifierKeys,
  openStores,
  parseVerifierConfig,
  type Stores,
  type VerifierCore,
} from '@holdfast/verifier';
import { pino } from 'pino';
import { MANIFEST } from '../../../test/support/claims-fixture.ts';
import type { SoftwareTpm } from '../../../test/support/software-tpm.ts';
import { createTrustKey, signSbom } from '../../../test/support/verifier-world.ts';

const DAY_MS = 86_400_000;

/** A kube node that is enrolled without the ceremony: its keys are put into the store. */
export interface BenchNode {
  readonly label: string;
  readonly tpm: SoftwareTpm;
}

/** A verifier without connections, over a store on disk. */
export interface BenchVerifier {
  readonly core: VerifierCore;
  readonly stores: Stores;
  close(): Promise<void>;
}

/** The key that signs the SBOM of the fixture's image, and the trust file's row for it. */
export function createSbomSigner(): { key: KeyObject; row: object } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { key, row: createTrustKey('builder', publicKey) };
}

/** A trust file that pins the EKs of these kube nodes. */
export function describeTrust(nodes: readonly BenchNode[], sbomRow: object): object {
  return {
    format: 'holdfast-trust-v1',
    version: 1,
    expires: new Date(Date.now() + DAY_MS).toISOString(),
    environment: 'development',
    keys: [sbomRow],
    eks: nodes.map(({ label, tpm }) => ({ kubeNode: label, ekName: tpm.ek.name.toString('hex') })),
    ekRoots: [],
  };
}

/** Puts the keys of kube nodes into a store, as enrolment would after its checks. */
export function enrolInStore({ enrolment }: Stores, nodes: readonly BenchNode[]): void {
  for (const { label, tpm } of nodes) {
    enrolment.saveNode({
      ueid: tpm.ueid,
      label,
      ekName: tpm.ek.name.toString('hex'),
      ekPublic: tpm.ek.public,
      ekCertificates: [],
      akPublic: tpm.ak.public,
      signingPublic: tpm.signing.public,
      kid: tpm.kid,
      predecessors: [],
      issuedAtMs: Date.now(),
      expiresAtMs: Date.now() + DAY_MS,
    });
  }
}

/** Makes a verifier that knows the kube nodes and a signed SBOM of the fixture's image. */
export async function createBenchVerifier(directory: string, nodes: readonly BenchNode[]): Promise<BenchVerifier> {
  const stateDir = join(directory, 'state');
  const unused = join(directory, 'unused');
  const config = parseVerifierConfig({
    listen: '127.0.0.1:0',
    stateDir,
    tls: { ca: unused, cert: unused, key: unused },
    trustFile: unused,
    logLevel: 'silent',
  });
  const keys = await loadVerifierKeys(stateDir, config.verifierId);
  const stores = openStores(stateDir);
  enrolInStore(stores, nodes);
  const signer = createSbomSigner();
  const trust = loadTrust(Buffer.from(JSON.stringify(describeTrust(nodes, signer.row))));
  const source = { current: () => trust, refresh: () => Promise.resolve(false) };
  const log = pino({ level: 'silent' });
  const core = createVerifierCore({ config, log, stores, trust: source, keys, now: Date.now });
  core.book.put(Buffer.from(signSbom({ key: signer.key, keyId: 'builder', manifest: MANIFEST })));
  const close = async (): Promise<void> => {
    await core.close();
    stores.database.close();
  };
  return { core, stores, close };
}

/** An Attester's end of a conversation within one process: no bytes, no TLS, only messages. */
export class MemoryConversation {
  readonly peerSpki = randomBytes(32).toString('hex');
  readonly ended: Promise<void>;
  #toVerifier: ((message: AttesterMessage | undefined) => void) | undefined;
  #toAttester: ((message: VerifierMessage) => void) | undefined;

  constructor(core: VerifierCore) {
    this.ended = core.converse(this);
  }

  /** For the Verifier. */
  identify(): void {}

  /** For the Verifier. */
  receive(): Promise<AttesterMessage | undefined> {
    const { promise, resolve } = Promise.withResolvers<AttesterMessage | undefined>();
    this.#toVerifier = resolve;
    return promise;
  }

  /** For the Verifier. */
  send(message: VerifierMessage): Promise<void> {
    this.#toAttester?.(message);
    return Promise.resolve();
  }

  /** Says one thing and waits for the answer; rejects when the Verifier ends the conversation instead. */
  async exchange(
    message: MessageInitShape<typeof AttesterMessageSchema>['message'],
  ): Promise<VerifierMessage['message']> {
    const { promise, resolve } = Promise.withResolvers<VerifierMessage>();
    this.#toAttester = resolve;
    this.#toVerifier?.(create(AttesterMessageSchema, message === undefined ? {} : { message }));
    const ended = this.ended.then(() => Promise.reject(new Error('the conversation ended')));
    return (await Promise.race([promise, ended])).message;
  }

  close(): void {
    this.#toVerifier?.(undefined);
  }
}
