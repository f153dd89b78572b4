import { generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AGENT_PREDICATE_TYPE, signStatement } from '@holdfast/verifier';
import type { FeedResult } from '../quickstart/result-feed.ts';
import { runTool } from '../world/run-tool.ts';
import { openGuestRoot } from './guest-root.ts';
import type { SuiteContext } from './suite.ts';

/** Where the guest has its build, and the list of its files. */
const LIST = '/opt/holdfast/agent-files.json';
const SCRIPT = 'cli/src/main.js';
const KEY_ID = 'agent-signer';
const DAY_MS = 86_400_000;
const RESULT_MS = 90_000;

interface BuildList {
  readonly version: string;
  readonly files: Record<string, string>;
}

/**
 * With the signed list of the very build in the guest, what IMA measured there in the agent's directory is known down to
 * the last file; with a list of another script the agent is convicted.
 */
export async function checkAgentFiles(context: SuiteContext): Promise<void> {
  const { step, check } = context;
  const before = await awaitResult(context, (result) => listCodes(result).includes('AGENT_NOT_REFERENCED'));
  check(
    'without a signed list that is all there is to say of the agent',
    listCodes(before).length === 1,
    describe(before),
  );
  step('signing the list of the files that the guest has');
  const list = await readBuildList(context);
  const key = await admitKey(context);
  check(
    'Node, scripts and native modules are among them',
    Object.keys(list.files).length > 100,
    String(Object.keys(list.files).length),
  );
  const good = await addList(context, key, 'good', list);
  const known = await awaitResult(context, (result) => listCodes(result).length === 0);
  check(
    'every file of the agent that IMA measured is one that was built',
    listCodes(known).length === 0,
    describe(known),
  );
  step('a list that has another script in the place of the one that runs, instead');
  const forged = { ...list, files: { ...list.files, [SCRIPT]: '0'.repeat(64) } };
  await revoke(context, good);
  const bad = await addList(context, key, 'forged', forged);
  const convicted = await awaitResult(context, (result) => listCodes(result).includes('AGENT_UNKNOWN'));
  const finding = convicted.findings.find(({ code }) => code === 'AGENT_UNKNOWN');
  check('the agent runs what nobody signed', convicted.kubeNode.status === 'contraindicated', describe(convicted));
  check('and it is the script', finding?.path === `/opt/holdfast/${SCRIPT}`, finding?.path);
  await revoke(context, bad);
  await addList(context, key, 'again', list);
  const settled = await awaitResult(context, (result) => listCodes(result).length === 0);
  check('with the right list all is well again', settled.kubeNode.status !== 'contraindicated', describe(settled));
}

/** From the disk that the guest runs on: the build on this machine may be another one by now. */
async function readBuildList({ world, step }: SuiteContext): Promise<BuildList> {
  const disk = await openGuestRoot(world.kernel, step);
  const list: BuildList = JSON.parse((await runTool('debugfs', ['-R', `cat ${LIST}`, disk])).toString());
  return list;
}

/** Gives the verifier's trust file one more key, as an operator does. */
async function admitKey({ world }: SuiteContext): Promise<KeyObject> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const path = join(world.directory, 'trust.json');
  const trust: { version: number; keys: object[] } = JSON.parse(await readFile(path, 'utf8'));
  const key = {
    id: KEY_ID,
    role: 'agent',
    environment: 'development',
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }),
    scope: ['holdfast-agent'],
    validFrom: new Date(Date.now() - DAY_MS).toISOString(),
    validUntil: new Date(Date.now() + DAY_MS).toISOString(),
  };
  await writeWhole(path, JSON.stringify({ ...trust, version: trust.version + 1, keys: [...trust.keys, key] }));
  return privateKey;
}

/** Lays a signed list where the verifier looks; gives the digest by which it can be revoked. */
async function addList({ world }: SuiteContext, key: KeyObject, name: string, list: BuildList): Promise<string> {
  const envelope = signStatement({
    subjects: [{ name: 'holdfast-agent', digest: { sha256: hash('sha256', JSON.stringify(list)) } }],
    predicateType: AGENT_PREDICATE_TYPE,
    predicate: list,
    key,
    keyId: KEY_ID,
  });
  await writeWhole(join(world.references.directory, `agent-${name}.json`), envelope);
  return `sha256:${hash('sha256', envelope)}`;
}

async function revoke({ world }: SuiteContext, digest: string): Promise<void> {
  await world.ask(['reference', 'revoke', digest, '--reason', 'a test']);
}

/** The verifier reads a file as soon as it is there. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.part`, text);
  await rename(`${path}.part`, path);
}

async function awaitResult({ world }: SuiteContext, isWanted: (result: FeedResult) => boolean): Promise<FeedResult> {
  const result = await world.feed.waitFor(isWanted, RESULT_MS);
  if (result === null)
    throw new Error(
      `no such verdict in time; the last: ${world.feed.latest === null ? 'none' : describe(world.feed.latest)}`,
    );
  return result;
}

function listCodes({ findings }: FeedResult): string[] {
  return findings.map(({ code }) => code).filter((code) => code.startsWith('AGENT_'));
}

function describe({ kubeNode, findings }: FeedResult): string {
  return `${kubeNode.status} (${findings.map(({ code }) => code).join(', ')})`;
}
