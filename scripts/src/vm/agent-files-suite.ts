import { readFile, rename, writeFile } from 'node:fs/promises';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
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
  const { world, step, check } = context;
  const before = await awaitResult(context, (result) => listCodes(result).includes('AGENT_NOT_REFERENCED'));
  check('without a signed list that is all there is to say of the agent', listCodes(before).length === 1, describe(before));
  step('signing the list of the files that the guest has');
  const list = await readBuildList(context);
  const key = await admitKey(context);
  check('Node, scripts and native modules are among them', Object.keys(list.files).length > 100, String(Object.keys(list.files).length));
  const good = await addList(context, key, 'good', list);
  const known = await awaitResult(context, (result) => listCodes(result).length === 0);
  check('every file of the agent that IMA measured is one that was built', listCodes(known).length === 0, describe(known));
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
  step(`the verifier keeps ${String((await readFile(join(world.directory, 'verifier.log'))).length)} bytes of log`);
}
