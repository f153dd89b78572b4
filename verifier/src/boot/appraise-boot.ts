import {
  type BootClaims,
  type BootFacts,
  type BootFinding,
  type KernelClaims,
  matchCommandLine,
} from '@holdfast/evidence';
import type { AppraisalPolicy, Resolved, VerifiedEvidence } from '../appraisal/appraisal-input.ts';
import { createFinding, type Finding } from '../appraisal/finding.ts';
import { appraiseBootReferences } from './appraise-boot-reference.ts';
import type { BootConclusion } from './boot-conclusion.ts';

/** What firmware and careless boot loaders do too; all else is an event that was renamed or filled anew. */
const IRREGULAR: ReadonlySet<BootFinding['code']> = new Set([
  'SEPARATOR_MISSING',
  'SEPARATOR_ERROR',
  'SECURE_BOOT_SEQUENCE',
  'COMMAND_LINE_AMBIGUOUS',
] as const);
/** Firmware measures this when a debugger may have changed what it measured before (PC Client profile, 3.3.4.8). */
const DEBUG_MODE = 'UEFI Debug Mode';

/**
 * Appraises how a kube node booted, in this order: that the log gives the quoted PCRs and leaves none unexplained; that
 * no event of it was forged; Secure Boot; the measured kernel command line against the one that the kernel tells; signed
 * boot references. Facts of a log that does not hold are not looked at.
 */
export function appraiseBoot(
  boot: BootClaims,
  evidence: Pick<VerifiedEvidence, 'bootLog' | 'kernel' | 'bootReferences'>,
  policy: Pick<AppraisalPolicy, 'isBootReferenceRequired'> = {},
): Finding[] {
  const { bootLog: conclusion } = evidence;
  if (conclusion === null) {
    return [createFinding('BOOT_LOG_MISSING', {}, 'Without a TPM nothing proves how the kube node booted.')];
  }
  const { facts } = conclusion;
  if (facts === null) return appraiseWithoutLog(boot, conclusion);
  if (facts.state === 'missing') {
    return [createFinding('CLAIMS_MISSING', { expected: 'eventLog' }, 'The boot event log could not be had.')];
  }
  if (facts.state === 'malformed') {
    const message = `The boot event log was refused: ${facts.reason}.`;
    return [createFinding('CLAIMS_MALFORMED', { expected: 'eventLog' }, message)];
  }
  if (!conclusion.hasBank) return [createFinding('BOOT_LOG_UNSUPPORTED'), ...judgeWord(boot)];
  const replay = appraiseReplay(conclusion);
  if (replay.length > 0) return replay;
  const { kernel, bootReferences: applicable } = evidence;
  const told = kernel.state === 'ok' ? kernel.value.cmdline.replace(/\n$/, '') : null;
  const references = { applicable, isRequired: policy.isBootReferenceRequired === true };
  return [
    ...appraiseFacts(boot, facts.value, kernel),
    ...appraisePhases(conclusion),
    ...appraiseBootReferences(facts.value, references, told),
  ];
}

/** Stated values that are not the quoted ones are a lie even where there is no log. */
function appraiseWithoutLog(boot: BootClaims, { isQuoted }: BootConclusion): Finding[] {
  const lie = 'The stated values of the boot PCRs are not those that the TPM quoted.';
  return [
    createFinding('BOOT_LOG_MISSING'),
    ...(isQuoted ? [] : [createFinding('BOOT_LOG_MISMATCH', {}, lie)]),
    ...judgeWord(boot),
  ];
}

function judgeWord({ secureBoot }: BootClaims): Finding[] {
  return secureBoot === false ? [createFinding('SECURE_BOOT_OFF')] : [];
}

function appraiseReplay({ isQuoted, mismatched, unexplained }: BootConclusion): Finding[] {
  if (!isQuoted) return [createFinding('BOOT_LOG_MISMATCH')];
  return [
    ...mismatched.map((pcr) => createFinding('BOOT_LOG_MISMATCH', { actual: `PCR ${pcr}` })),
    ...unexplained.map((pcr) => createFinding('BOOT_PCR_UNEXPLAINED', { actual: `PCR ${pcr}` })),
  ];
}

function appraiseFacts(boot: BootClaims, facts: BootFacts, kernel: Resolved<KernelClaims>): Finding[] {
  return [
    ...facts.findings.map(translate),
    ...appraiseSecureBoot(boot, facts),
    ...(kernel.state === 'ok' ? appraiseCommandLine(kernel.value.cmdline, facts) : []),
    ...facts.quirks.map(({ code, pcr }) =>
      createFinding('BOOT_LOG_QUIRK', { actual: pcr === null ? code : `${code} in PCR ${pcr}` }),
    ),
  ];
}

/** What was measured after the boot, and is no part of it. */
function appraisePhases({ phases }: BootConclusion): Finding[] {
  if (phases === null) return [];
  const actual = phases.texts.join(', ');
  return [createFinding(phases.isLogged ? 'BOOT_PHASES_LOGGED' : 'BOOT_PHASES_ASSUMED', { actual })];
}

function translate({ code, pcr, index, message }: BootFinding): Finding {
  const place = `${pcr === null ? '' : ` in PCR ${pcr}`}${index === null ? '' : `, event ${index}`}`;
  const actual = `${code}${place}`;
  return createFinding(IRREGULAR.has(code) ? 'BOOT_LOG_IRREGULAR' : 'BOOT_LOG_FORGED', { actual }, `${message}.`);
}

function appraiseSecureBoot({ secureBoot: told }: BootClaims, { secureBoot }: BootFacts): Finding[] {
  const { enabled, actions } = secureBoot;
  if (enabled === null) return [createFinding('SECURE_BOOT_UNPROVEN')];
  const isVoid = actions.includes(DEBUG_MODE);
  const contradiction = { expected: nameState(enabled), actual: nameState(told === true) };
  return [
    ...(told !== null && told !== enabled ? [createFinding('SECURE_BOOT_CONTRADICTION', contradiction)] : []),
    ...(enabled && !isVoid ? [] : [createFinding('SECURE_BOOT_OFF', isVoid ? { actual: DEBUG_MODE } : {})]),
  ];
}

function nameState(isOn: boolean): string {
  return isOn ? 'on' : 'off';
}

function appraiseCommandLine(text: string, { commandLine }: BootFacts): Finding[] {
  const actual = text.replace(/\n$/, '');
  const { measured, matching } = matchCommandLine(commandLine, actual);
  if (measured === 0) return [createFinding('CMDLINE_UNMEASURED')];
  if (matching === measured) return [];
  const expected = commandLine.texts[0]?.text ?? 'a command line of which the log has the digest only';
  return [createFinding(matching === 0 ? 'CMDLINE_MISMATCH' : 'CMDLINE_PARTLY_MEASURED', { expected, actual })];
}
