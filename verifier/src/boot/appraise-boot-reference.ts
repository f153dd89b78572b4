import { type BootFacts, type BootReference, parseUefiVariable } from '@holdfast/evidence';
import { createFinding, type Finding } from '../appraisal/finding.ts';
import { type BootDifference, compareBoot, digestOf, type MeasuredEvent } from './compare-boot.ts';
import { listMeasuredTexts, type ToldCommandLine } from './measured-text.ts';

/** A signed boot reference that counts now for the kube node in question. */
export interface ApplicableBoot {
  /** `sha256:…` of the envelope. */
  readonly digest: string;
  readonly keyId: string;
  readonly reference: BootReference;
}

export interface BootReferences {
  /** Those that apply to the kube node, newest first. */
  readonly applicable: readonly ApplicableBoot[];
  /** Whether the policy wants one. */
  readonly isRequired: boolean;
}

const MAX_FINDINGS = 64;
const VARIABLE_TYPES: readonly number[] = [0x80000001, 0x800000e0];

/**
 * Compares a proven boot with the signed references for its kube node. Where it is one of them, nothing is found; else
 * what is different from the one that comes closest, each thing by name. Without a reference only that is said.
 *
 * `told` is the kernel's own word on its command line, used as text only where it hashes to what was measured.
 */
export function appraiseBootReferences(
  facts: BootFacts,
  { applicable, isRequired }: BootReferences,
  told: ToldCommandLine,
): Finding[] {
  if (applicable.length === 0) return [createFinding(isRequired ? 'BOOT_REFERENCE_MISSING' : 'BOOT_NOT_REFERENCED')];
  let closest: { reference: BootReference; differences: readonly BootDifference[] } | undefined;
  for (const { reference } of applicable) {
    const differences = compareBoot(reference, facts.events);
    if (differences.length === 0) return [];
    if (closest === undefined || differences.length < closest.differences.length) closest = { reference, differences };
  }
  return closest === undefined ? [] : describeDifferences(closest.reference, closest.differences, facts, told);
}

/** The command line is measured up to three times over, and an initrd twice: each thing is told once. */
function describeDifferences(
  { commandLine }: BootReference,
  differences: readonly BootDifference[],
  facts: BootFacts,
  told: ToldCommandLine,
): Finding[] {
  const lines = differences.filter((difference) => isCommandLine(difference, facts));
  const texts = listMeasuredTexts(
    lines.map(({ actual }) => actual),
    facts,
    told,
  );
  const findings = [
    ...texts.map((actual) => createFinding('BOOT_CMDLINE_UNEXPECTED', { expected: commandLine ?? 'none', actual })),
    ...differences.filter((difference) => !lines.includes(difference)).map((each) => toFinding(each, facts)),
  ];
  return [...new Map(findings.map((finding) => [JSON.stringify(finding), finding])).values()].slice(0, MAX_FINDINGS);
}

function toFinding(difference: BootDifference, facts: BootFacts): Finding {
  const { pcr, expected, actual } = difference;
  const section = actual === null ? undefined : facts.images.sections.find(({ index }) => index === actual.event.index);
  const name = expected?.name ?? section?.name ?? null;
  const detail = { expected: describeExpected(difference), actual: describeActual(actual, name) };
  if (pcr === 7) return createFinding('SECURE_BOOT_VARIABLES_UNEXPECTED', describeVariables(difference));
  if (expected?.kind === 'initrd' || name === '.initrd') return createFinding('BOOT_INITRD_UNEXPECTED', detail);
  if (pcr === 4) return createFinding('BOOT_IMAGE_UNEXPECTED', detail);
  if (pcr === 11) return createFinding('BOOT_SECTION_UNEXPECTED', detail);
  return createFinding('BOOT_EVENT_UNEXPECTED', { ...detail, actual: `PCR ${pcr}: ${detail.actual}` });
}

function isCommandLine({ pcr, expected, actual }: BootDifference, facts: BootFacts): boolean {
  if (expected !== null)
    return expected.kind === 'loadOptions' || (expected.kind === 'section' && expected.name === '.cmdline');
  const index = actual?.event.index;
  const { texts, hashed } = facts.commandLine;
  return pcr !== 4 && pcr !== 7 && [...texts, ...hashed].some((line) => line.index === index);
}

function describeExpected({ expected }: BootDifference): string {
  if (expected === null) return 'nothing';
  return `${expected.name} sha256:${expected.digest ?? 'unknown'}`;
}

function describeActual(actual: MeasuredEvent | null, name: string | null): string {
  if (actual === null) return 'nothing';
  return `${name === null ? '' : `${name} `}sha256:${digestOf(actual)}`;
}

/** Names of variables are covered by the digest where the data is verified. */
function describeVariables(difference: BootDifference) {
  const { expected, actual } = difference;
  const variable =
    actual?.dataVerified === true && VARIABLE_TYPES.includes(actual.event.typeId)
      ? parseUefiVariable(actual.event.data)
      : undefined;
  if (expected?.name === 'SecureBoot' && variable?.name === 'SecureBoot') {
    const isOn = variable.data.equals(Buffer.of(1));
    return { expected: `SecureBoot ${isOn ? 'off' : 'on'}`, actual: `SecureBoot ${isOn ? 'on' : 'off'}` };
  }
  const kind = expected?.kind === 'authority' ? 'authority ' : '';
  return {
    expected: `${kind}${describeExpected(difference)}`,
    actual: describeActual(actual, variable === undefined ? null : `${kind}${variable.name}`),
  };
}
