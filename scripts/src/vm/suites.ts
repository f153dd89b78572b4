import { matchCommandLine } from '@holdfast/evidence';
import type { FeedResult } from '../quickstart/result-feed.ts';
import { checkAgentFiles } from './agent-files-suite.ts';
import { type MadeReference, makeBootReference } from './boot-reference.ts';
import type { Guest } from './guest.ts';
import { type MachineView, viewMachine } from './machine-view.ts';
import type { Suite, SuiteContext } from './suite.ts';
import { TPM_STATE_SUITES } from './tpm-state-suites.ts';

const COMMAND_LINE = 'console=ttyS0 root=/dev/nvme0n1 rw rootfstype=ext4 init=/sbin/init ima_policy=tcb';
/** What somebody with the signing key, or a careless build, could add. */
const CHANGED_COMMAND_LINE = `${COMMAND_LINE} lockdown=none module.sig_enforce=0`;
/** Firmware, kernel and two starts of Node under emulation, on a machine that does other things too. */
const BOOT_MS = 240_000;
/** What the firmware says of an image that nobody signed whom it trusts. */
const REFUSAL = /Access Denied|Security Violation/i;
const ROUND_MS = 60_000;
const REFUSAL_MS = 120_000;
/** What the verdict rests on: the quoted PCRs of boot and IMA, each explained by its log. */
const BASE = 'boot+ima';
/** A PCR that nobody extended. */
const UNTOUCHED = '0'.repeat(64);
/** Findings that a good boot must not have. */
const DOUBTS = [
  'SECURE_BOOT_OFF',
  'SECURE_BOOT_UNPROVEN',
  'CMDLINE_MISMATCH',
  'CMDLINE_UNMEASURED',
  'KERNEL_LOCKDOWN_NONE',
];
/** Findings that say that trust in an agent's keys or chain did not survive. */
const TRUST_LOST = ['CHAIN_GAP', 'CHAIN_FORK', 'AK_REPLACED', 'TPM_ROLLBACK', 'EK_WITHDRAWN'];

export const SUITES: readonly Suite[] = [
  {
    name: 'secure-boot',
    title: 'a signed kernel under Secure Boot: the agent enrols through /dev/tpmrm0 and attests over the network',
    needs: [],
    run: bootSigned,
  },
  {
    name: 'agent-files',
    title: "the agent's own files, as IMA measured them, are those of a signed list, or the agent is convicted",
    needs: ['secure-boot'],
    run: checkAgentFiles,
  },
  {
    name: 'reboot',
    title: 'after a reboot there is a new boot session, and trust is kept',
    needs: ['secure-boot'],
    run: reboot,
  },
  {
    name: 'power-cut',
    title: 'after a power cut there is a new boot session, and trust is kept',
    needs: ['secure-boot'],
    run: cutPower,
  },
  {
    name: 'command-line',
    title: 'a signed kernel with another command line boots, and the difference is named',
    needs: ['secure-boot'],
    run: changeCommandLine,
  },
  {
    name: 'unsigned',
    title: 'an unsigned kernel does not boot',
    needs: [],
    run: bootUnsigned,
  },
  ...TPM_STATE_SUITES,
];

async function bootSigned(context: SuiteContext): Promise<void> {
  const { world, journey, step, check } = context;
  step('computing what this boot must measure, from the image and the variables of the firmware; signing it');
  const reference = await makeBootReference(world, { commandLine: COMMAND_LINE, signed: true });
  step('switching the machine on: OVMF with Secure Boot, software TPM, Debian cloud kernel in a signed UKI');
  journey.guest = await world.powerOn('secure-boot', { commandLine: COMMAND_LINE, signed: true });
  const result = await awaitRound(context, journey.guest, isWhole);
  step('pulling a snapshot from the agent in the guest by its own port, verifying it offline');
  const view = await viewMachine(world, 'secure-boot');
  journey.enrolled = { view, chain: result.chain, seq: result.seq, enrolledAt: await readEnrolledAt(context) };
  const console = await journey.guest.readConsole();
  check('the guest has /dev/tpmrm0 of the kernel', /agent started.*\/dev\/tpmrm0/.test(console));
  check('the measured boot says that Secure Boot is on', view.boot.secureBoot.enabled === true);
  check(
    'the kernel is locked down',
    view.kernel.lockdown?.includes('[integrity]') === true,
    view.kernel.lockdown ?? 'none',
  );
  check('the kernel is not tainted', view.kernel.tainted.trim() === '0', view.kernel.tainted);
  checkCommandLine(context, view, COMMAND_LINE);
  checkAbsent(context, result, DOUBTS);
  checkAbsent(context, result, TRUST_LOST);
  checkReference(context, view, reference);
  checkVerdict(context, result);
}

async function reboot(context: SuiteContext): Promise<void> {
  const { journey, step } = context;
  const guest = journey.guest ?? (await powerOnAgain(context, 'reboot'));
  step('telling the guest to reboot');
  await guest.tell('reboot');
  await checkNewSession(context, guest, 'reboot');
}

async function cutPower(context: SuiteContext): Promise<void> {
  const { journey, step } = context;
  const before = journey.guest ?? (await powerOnAgain(context, 'before-power-cut'));
  step('pulling the plug: no signal to the guest, no TPM2_Shutdown to the TPM');
  await before.pullPlug();
  step('switching the machine on again');
  await checkNewSession(context, await powerOnAgain(context, 'power-cut'), 'power-cut');
}

async function powerOnAgain({ world, journey }: SuiteContext, name: string): Promise<Guest> {
  const guest = await world.powerOn(name, { commandLine: COMMAND_LINE, signed: true });
  journey.guest = guest;
  return guest;
}

/** The same keys, the same chain without a gap, and a boot counter that the TPM signs has moved. */
async function checkNewSession(context: SuiteContext, guest: Guest, name: string): Promise<void> {
  const { world, journey, step, check } = context;
  const before = journey.enrolled;
  if (before === null) throw new Error('the machine was never enrolled');
  const result = await awaitRound(
    context,
    guest,
    (later) => later.seq > before.seq && later.findings.some(isNewSession),
  );
  step('pulling a snapshot');
  const view = await viewMachine(world, name);
  check('the verifier sees a new boot session', result.findings.some(isNewSession));
  const counts = `${before.view.bootCount} → ${view.bootCount}`;
  check('the boot counter of the TPM rose', view.bootCount > before.view.bootCount, counts);
  check('the chain of evidence goes on', result.chain === before.chain && result.seq > before.seq, `seq ${result.seq}`);
  check('the agent did not enrol again', (await readEnrolledAt(context)) === before.enrolledAt);
  checkAbsent(context, result, TRUST_LOST);
  checkCommandLine(context, view, COMMAND_LINE);
  checkVerdict(context, result);
  // Two verdicts with the same findings are one: the next new session must not look like this one.
  const settled = await world.feed.waitFor(({ findings }) => !findings.some(isNewSession), ROUND_MS);
  check('the next round is of the same session', settled !== null);
  journey.enrolled = { ...before, view, seq: result.seq };
}

async function changeCommandLine(context: SuiteContext): Promise<void> {
  const { world, journey, step, check } = context;
  const before = journey.enrolled;
  if (before === null) throw new Error('the machine was never enrolled');
  await powerOff(context);
  step('switching the machine on with a signed kernel image of another command line');
  journey.guest = await world.powerOn('command-line', { commandLine: CHANGED_COMMAND_LINE, signed: true });
  const result = await awaitRound(
    context,
    journey.guest,
    (later) => later.seq > before.seq && later.findings.some(isNewSession),
  );
  const view = await viewMachine(world, 'command-line');
  check('the machine boots: the signature holds', view.boot.secureBoot.enabled === true);
  checkCommandLine(context, view, CHANGED_COMMAND_LINE);
  const images = [before.view, view].map(listImages);
  check('the measured kernel image is another one', images[0] !== images[1] && images[1] !== '', images.join(' → '));
  checkAbsent(context, result, TRUST_LOST);
  const unexpected = result.findings.find(({ code }) => code === 'BOOT_CMDLINE_UNEXPECTED');
  check('it is not the boot that was signed', result.kubeNode.status === 'contraindicated', describe(result));
  check(
    'the verifier names the command line that was signed',
    unexpected?.expected === COMMAND_LINE,
    unexpected?.expected,
  );
  check('and the one that was measured', unexpected?.actual === CHANGED_COMMAND_LINE, unexpected?.actual);
  const image = result.findings.find(({ code }) => code === 'BOOT_IMAGE_UNEXPECTED');
  check('and the digest of the image that has it', image?.actual?.includes(images[1] ?? '-') === true, image?.actual);
  step('root in the guest mounts the old command line over /proc/cmdline');
  await journey.guest.tell(`hide\n${COMMAND_LINE}`);
  const lied = await awaitRound(context, journey.guest, hasMismatch);
  const named = lied.findings.find(({ code }) => code === 'CMDLINE_MISMATCH');
  check('the verifier finds the lie', lied.kubeNode.status === 'contraindicated', named?.message);
  check('and names what was told', named?.actual === COMMAND_LINE, named?.actual);
}

async function bootUnsigned(context: SuiteContext): Promise<void> {
  const { world, step, check } = context;
  await powerOff(context);
  step('switching the machine on with the same kernel image, unsigned');
  const guest = await world.powerOn('unsigned', { commandLine: COMMAND_LINE, signed: false, network: false });
  const refused = await guest.waitForText(REFUSAL, REFUSAL_MS);
  const console = await guest.readConsole();
  check(
    'the firmware refuses it',
    refused !== null,
    console.split('\n').find((line) => REFUSAL.test(line)) ?? lastLine(console),
  );
  check('no kernel starts', !/Linux version|EFI stub/.test(console));
  await guest.pullPlug();
}

async function powerOff({ journey, step }: SuiteContext): Promise<void> {
  if (journey.guest === null) return;
  step('telling the guest to switch off');
  await journey.guest.tell('poweroff');
  if (!(await journey.guest.waitUntilOff(60_000))) throw new Error('the guest does not switch off');
  await journey.guest.pullPlug();
  journey.guest = null;
}

/** Waits for a verdict on evidence of this boot; says what the guest is at if none comes. */
async function awaitRound(
  { world, step }: SuiteContext,
  guest: Guest,
  isWanted: (result: FeedResult) => boolean,
): Promise<FeedResult> {
  const start = performance.now();
  const result = await world.feed.waitFor(isWanted, BOOT_MS);
  if (result === null) throw new Error(`no verdict in time; the console ends: ${lastLine(await guest.readConsole())}`);
  step(`verdict after ${Math.round((performance.now() - start) / 1000)} s: ${describe(result)}`);
  return result;
}

/** What was computed before the machine ever ran is what its TPM quoted. */
function checkReference({ check }: SuiteContext, view: MachineView, { pcrs }: MadeReference): void {
  for (const [pcr, values] of Object.entries(pcrs)) {
    const actual = view.pcrs[pcr] ?? UNTOUCHED;
    check(`PCR ${pcr} was foretold`, values.includes(actual), actual.slice(0, 16));
  }
}

/** Everything that this machine can prove is proven, and its operator says that it needs no container runtime. */
function checkVerdict({ check }: SuiteContext, result: FeedResult): void {
  const doubts = result.findings.filter(({ severity }) => severity !== 'info').map(({ code }) => code);
  check('EK, boot and IMA leave no doubt', doubts.length === 0, describe(result));
  check('the machine is affirmed', result.kubeNode.status === 'affirming', result.kubeNode.status);
}

/** The kernel tells it, and the boot log, which the quote vouches for, has nothing else. */
function checkCommandLine({ check }: SuiteContext, view: MachineView, expected: string): void {
  const told = view.kernel.cmdline.trim();
  const { measured, matching } = matchCommandLine(view.boot.commandLine, expected);
  check('the kernel tells the command line that was built in', told === expected, told);
  check(
    'the boot log measured that one and no other',
    measured > 0 && matching === measured,
    `${matching} of ${measured}`,
  );
}

/** Authenticode digests of what was started, shortened. */
function listImages({ boot }: MachineView): string {
  return boot.images.applications.map(({ digests }) => digests.get('sha256')?.toString('hex').slice(0, 12)).join(', ');
}

function checkAbsent({ check }: SuiteContext, result: FeedResult, codes: readonly string[]): void {
  const seen = result.findings.map(({ code }) => code).filter((code) => codes.includes(code));
  check(`none of ${codes.join(', ')}`, seen.length === 0, seen.join(', '));
}

async function readEnrolledAt({ world }: SuiteContext): Promise<string> {
  const nodes = await world.ask(['nodes']);
  const node: unknown = Array.isArray(nodes) && nodes.length === 1 ? nodes[0] : null;
  if (typeof node !== 'object' || node === null || !('enrolledAt' in node))
    throw new Error('there must be one kube node');
  return String(node.enrolledAt);
}

/** The base that a machine with a boot log and IMA comes to; the first rounds may still lack a log. */
const isWhole = ({ base }: FeedResult): boolean => base === BASE;

const isNewSession = ({ code }: { code: string }): boolean => code === 'BOOT_SESSION_NEW';

const hasMismatch = ({ findings }: FeedResult): boolean => findings.some(({ code }) => code === 'CMDLINE_MISMATCH');

function describe(result: FeedResult): string {
  return `${result.kubeNode.status}, base ${result.base} (${result.findings.map(({ code }) => code).join(', ')})`;
}

function lastLine(console: string): string {
  return console.trim().split('\n').at(-1)?.trim().slice(0, 200) ?? '';
}
