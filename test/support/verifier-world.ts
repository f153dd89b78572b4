import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import { createDevCa, type DevCa, type TlsRole } from '@holdfast/scripts';
import {
  inventoryToCycloneDx,
  parseVerifierConfig,
  type RunningVerifier,
  signStatement,
  startVerifier,
} from '@holdfast/verifier';
import { BASE_PACKAGES, createInventory, MANIFEST } from './claims-fixture.ts';
import { SoftwareTpm } from './software-tpm.ts';

/** A running verifier with its CA, trust file and references, in a directory of its own. */
export interface VerifierWorld {
  readonly directory: string;
  readonly ca: DevCa;
  readonly tpm: SoftwareTpm;
  verifier: RunningVerifier;
  /** Private key whose public half the trust file has for SBOMs. */
  readonly sbomKey: KeyObject;
  readonly sbomPublicKey: KeyObject;
  /** A client with a certificate of its own; closed with the world. */
  dial(name: string, roles: TlsRole[]): Promise<DialledClient>;
  /** Writes the trust file anew, one version up. */
  writeTrust(changes?: Partial<TrustDocument>): Promise<void>;
  /** Writes a signed SBOM into the watched directory. */
  writeSbom(name: string, changes?: Partial<SbomOptions>): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface DialledClient {
  readonly client: Client;
  readonly spkiSha256: string;
}

interface TrustDocument {
  keys: unknown[];
  eks: { kubeNode: string | null; ekName?: string; ekNames?: string[]; endorsement?: 'chain' | 'pin' }[];
  ekRoots: string[];
  ekIntermediates: string[];
  expires: string;
}

export interface SbomOptions {
  readonly key: KeyObject;
  readonly keyId: string;
  readonly manifest: string;
}

export const KUBE_NODE = 'worker-1';
const HOSTS = ['127.0.0.1', 'localhost'];
const DAY_MS = 86_400_000;

/** Starts a verifier; the caller closes the world. */
export async function createVerifierWorld(settings: Record<string, unknown> = {}): Promise<VerifierWorld> {
  const directory = await mkdtemp(join(tmpdir(), 'hf-verifier-'));
  const ca = await createDevCa();
  const tls = await ca.issueFiles(join(directory, 'tls'), 'verifier', {
    commonName: 'verifier',
    roles: ['verifier'],
    hosts: HOSTS,
  });
  const tpm = new SoftwareTpm();
  const sbomKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const clients: Client[] = [];
  const trustFile = join(directory, 'trust.json');
  const referencesDir = join(directory, 'references');
  await mkdir(referencesDir);
  let version = 0;
  const writeTrust = async (changes: Partial<TrustDocument> = {}): Promise<void> => {
    version += 1;
    await writeFile(trustFile, JSON.stringify(createTrust(version, tpm, sbomKeys.publicKey, changes)));
  };
  await writeTrust();
  const config = parseVerifierConfig({
    listen: '127.0.0.1:0',
    stateDir: join(directory, 'state'),
    tls,
    trustFile,
    referencesDir,
    maxMessagesPerSecond: 1000,
    logLevel: process.env['HOLDFAST_TEST_LOG'] ?? 'silent',
    ...settings,
  });
  const world: VerifierWorld = {
    directory,
    ca,
    tpm,
    verifier: await startVerifier(config),
    sbomKey: sbomKeys.privateKey,
    sbomPublicKey: sbomKeys.publicKey,
    dial: async (name, roles) => {
      const issued = await ca.issue({ commonName: name, roles, hosts: HOSTS });
      const channel = credentials.createSsl(
        Buffer.from(ca.certificate),
        Buffer.from(issued.key),
        Buffer.from(issued.certificate),
      );
      const client = new Client(world.verifier.listenAddress, channel);
      clients.push(client);
      return { client, spkiSha256: issued.spkiSha256 };
    },
    writeTrust,
    writeSbom: async (name, changes = {}) => {
      const envelope = signSbom({ key: sbomKeys.privateKey, keyId: 'builder', manifest: MANIFEST, ...changes });
      await writeFile(join(referencesDir, `${name}.json`), envelope);
    },
    restart: async () => {
      await world.verifier.close();
      world.verifier = await startVerifier(config);
    },
    close: async () => {
      for (const client of clients) client.close();
      await world.verifier.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return world;
}

/** A port that is free now: clients have to find the verifier again after a restart. */
export async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address !== null && typeof address === 'object' ? address.port : assert.fail();
}

/** A signed CycloneDX SBOM of the base packages. */
export function signSbom({ key, keyId, manifest }: SbomOptions): string {
  const subject = { name: 'registry.test/app', digest: manifest, toolVersion: '0.1.0' };
  const document = inventoryToCycloneDx(createInventory(BASE_PACKAGES), subject);
  return signStatement({
    subjects: [{ name: subject.name, digest: { sha256: manifest.replace('sha256:', '') } }],
    predicateType: 'https://cyclonedx.org/bom',
    predicate: JSON.parse(document),
    key,
    keyId,
  });
}

function createTrust(version: number, tpm: SoftwareTpm, sbomKey: KeyObject, changes: Partial<TrustDocument>) {
  return {
    format: 'holdfast-trust-v1',
    version,
    expires: new Date(Date.now() + DAY_MS).toISOString(),
    environment: 'development',
    keys: [createTrustKey('builder', sbomKey)],
    eks: [{ kubeNode: KUBE_NODE, ekName: tpm.ek.name.toString('hex') }],
    ekRoots: [],
    ...changes,
  };
}

/** A row of the trust file for a key that signs SBOMs. */
export function createTrustKey(id: string, key: KeyObject, changes: Record<string, unknown> = {}) {
  return {
    id,
    role: 'sbom',
    environment: 'development',
    publicKey: createPublicKey(key.export({ type: 'spki', format: 'pem' })).export({ type: 'spki', format: 'pem' }),
    scope: ['*'],
    validFrom: new Date(Date.now() - DAY_MS).toISOString(),
    validUntil: new Date(Date.now() + DAY_MS).toISOString(),
    ...changes,
  };
}
