import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStores } from '@holdfast/verifier';
import { MANIFEST } from '../../../test/support/claims-fixture.ts';
import { signSbom } from '../../../test/support/verifier-world.ts';
import { createDevCa, type DevCa, type IssuedFiles } from '../dev-ca/create-dev-ca.ts';
import { type HoldfastProcess, startHoldfast } from '../world/holdfast-process.ts';
import { isRunning, stopProcess } from '../world/named-process.ts';
import type { BenchContext } from './bench-context.ts';
import { type BenchNode, createSbomSigner, describeTrust, enrolInStore } from './verifier-core.ts';

/** A verifier as a process of its own, with TLS. */
export interface VerifierProcess {
  readonly process: HoldfastProcess['process'];
  readonly listenAddress: string;
  readonly ca: DevCa;
  /** TLS files of role agent, as many as were asked for. */
  readonly agents: readonly IssuedFiles[];
}

export interface VerifierProcessOptions {
  readonly nodes: readonly BenchNode[];
  readonly agents: number;
  readonly settings?: Record<string, unknown>;
}

const HOSTS = ['127.0.0.1', 'localhost'];

/** Seeds the store with the kube nodes, then starts `holdfast verifier` on it. */
export async function startVerifierProcess(
  context: BenchContext,
  { nodes, agents, settings }: VerifierProcessOptions,
): Promise<VerifierProcess> {
  const directory = join(context.directory, 'verifier');
  const stateDir = join(directory, 'state');
  const references = join(directory, 'references');
  await mkdir(references, { recursive: true });
  const stores = openStores(stateDir);
  enrolInStore(stores, nodes);
  stores.database.close();
  const signer = createSbomSigner();
  const trustFile = join(directory, 'trust.json');
  await writeFile(trustFile, JSON.stringify(describeTrust(nodes, signer.row)));
  await writeFile(join(references, 'app.json'), signSbom({ key: signer.key, keyId: 'builder', manifest: MANIFEST }));
  const ca = await createDevCa();
  const tlsDir = join(directory, 'tls');
  const tls = await ca.issueFiles(tlsDir, 'verifier', { commonName: 'verifier', roles: ['verifier'], hosts: HOSTS });
  const verifier = { listen: '127.0.0.1:0', stateDir, tls, trustFile, referencesDir: references, logLevel: 'warn' };
  const config = join(directory, 'config.json');
  await writeFile(config, JSON.stringify({ serve: { verifier: { ...verifier, ...settings } } }), { mode: 0o600 });
  const started = await startHoldfast(['verifier', '--config', config], join(directory, 'verifier.log'));
  context.defer(() => stopProcess(started.process));
  const issued: IssuedFiles[] = [];
  for (let at = 0; at < agents; at += 1) {
    issued.push(
      await ca.issueFiles(tlsDir, `agent-${at}`, { commonName: `agent-${at}`, roles: ['agent'], hosts: HOSTS }),
    );
  }
  return { ...started, ca, agents: issued };
}

/** Throws with the end of its log when the process has ended. */
export async function checkRunning(context: BenchContext, { process }: VerifierProcess): Promise<void> {
  if (await isRunning(process)) return;
  const log = await readFile(join(context.directory, 'verifier/verifier.log'), 'utf8').catch(() => '');
  throw new Error(`the verifier ended:\n${log.split('\n').slice(-6).join('\n')}`);
}
