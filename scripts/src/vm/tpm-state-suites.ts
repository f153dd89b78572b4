import type { FeedResult } from '../quickstart/result-feed.ts';
import type { Suite, SuiteContext } from './suite.ts';
import { KUBE_NODE } from './vm-world.ts';

const BOOT_MS = 240_000;
const ROUND_MS = 120_000;
const OFF_MS = 60_000;

/**
 * What somebody who holds the disk of a virtual TPM can do to it between two boots. A suspend is not among them: this
 * machine has no sleep state under Secure Boot firmware without KVM; the integration tests suspend a software TPM.
 */
export const TPM_STATE_SUITES: readonly Suite[] = [
  {
    name: 'tpm-rollback',
    title: 'an older state of the TPM that is put back is contraindicated until an operator says otherwise',
    needs: ['secure-boot'],
    run: rollBack,
  },
  {
    name: 'tpm-clear',
    title: 'a cleared TPM is enrolled again with new keys under its known EK, and that is told',
    needs: ['secure-boot'],
    run: clear,
  },
];

async function rollBack(context: SuiteContext): Promise<void> {
  const { world, step, check } = context;
  await switchOff(context);
  step('putting the state of the TPM back to what it was before the machine was ever switched on');
  await world.tpm.restoreFirstState();
  const result = await bootUntil(context, 'tpm-rollback', 'TPM_ROLLBACK');
  check('the verdict is contraindicated', result.kubeNode.status === 'contraindicated', describe(result));
  check('the evidence of before still stands', result.seq === world.feed.latest?.seq, `seq ${result.seq}`);
  await acknowledge(context, 'TPM_ROLLBACK');
  const later = await world.feed.waitFor(
    ({ seq, ...rest }) => seq > result.seq && !has(rest, 'TPM_ROLLBACK'),
    ROUND_MS,
  );
  check('then evidence of this TPM counts again', later !== null && later.kubeNode.status !== 'contraindicated');
  check('under the same keys', later !== null && !has(later, 'AK_REPLACED'), later === null ? '' : describe(later));
}

async function clear(context: SuiteContext): Promise<void> {
  const { world, step, check } = context;
  await switchOff(context);
  step('clearing the TPM, as firmware does when it is asked to');
  await world.tpm.clear();
  const result = await bootUntil(context, 'tpm-clear', 'AK_REPLACED');
  check('the verdict is no worse than a warning', result.kubeNode.status === 'warning', describe(result));
  check('nothing says that the TPM is another or an older one', !has(result, 'TPM_ROLLBACK'), describe(result));
  await acknowledge(context, 'AK_REPLACED');
  const later = await world.feed.waitFor((each) => !has(each, 'AK_REPLACED'), ROUND_MS);
  check('and it goes when an operator has acknowledged it', later !== null, later === null ? '' : describe(later));
}

async function switchOff({ journey, step }: SuiteContext): Promise<void> {
  if (journey.guest === null) return;
  step('telling the guest to switch off');
  await journey.guest.tell('poweroff');
  if (!(await journey.guest.waitUntilOff(OFF_MS))) throw new Error('the guest does not switch off');
  await journey.guest.pullPlug();
  journey.guest = null;
}

/** Switches the machine on as it was enrolled, and waits for a verdict with this finding. */
async function bootUntil(context: SuiteContext, name: string, code: string): Promise<FeedResult> {
  const { world, journey, step } = context;
  if (journey.enrolled === null) throw new Error('the machine was never enrolled');
  step('switching the machine on');
  const commandLine = journey.enrolled.view.kernel.cmdline.trim();
  const start = performance.now();
  const guest = await world.powerOn(name, { commandLine, signed: true });
  journey.guest = guest;
  const result = await world.feed.waitFor((each) => has(each, code), BOOT_MS);
  if (result === null) throw new Error(`no verdict with ${code} in time`);
  step(`verdict after ${Math.round((performance.now() - start) / 1000)} s: ${describe(result)}`);
  return result;
}

async function acknowledge({ world, step }: SuiteContext, code: string): Promise<void> {
  step(`an operator acknowledges ${code}`);
  await world.ask(['nodes', 'ack', KUBE_NODE, code, '--reason', 'a test']);
}

function has({ findings }: Pick<FeedResult, 'findings'>, code: string): boolean {
  return findings.some((finding) => finding.code === code);
}

function describe(result: FeedResult): string {
  return `${result.kubeNode.status}: ${result.findings.map(({ code }) => code).join(', ')}`;
}
