import type { KernelClaims } from '@holdfast/evidence';
import { createFinding, type Finding } from '../appraisal/finding.ts';
import type { FindingCode, FindingSeverity } from '../appraisal/finding-code.ts';
import { evaluateRequirement, splitCommandLine } from './evaluate-requirement.ts';
import { describeRequirement, type KernelRule, type KernelRuleSeverity } from './kernel-rule.ts';
import { KERNEL_RULES } from './kernel-rules.ts';

/** The rules that count here, each with its severity here. */
export type KernelBaseline = readonly { readonly rule: KernelRule; readonly severity: FindingSeverity }[];

const CODES: Record<FindingSeverity, FindingCode> = {
  info: 'KERNEL_BASELINE_NOTE',
  warning: 'KERNEL_BASELINE_WARNING',
  contraindicated: 'KERNEL_BASELINE_BROKEN',
};

/** Makes the baseline out of the built-in rules; `overrides` by rule id change a severity or leave a rule out. */
export function createKernelBaseline(overrides: ReadonlyMap<string, KernelRuleSeverity> = new Map()): KernelBaseline {
  return KERNEL_RULES.flatMap((rule) => {
    const severity = overrides.get(rule.id) ?? rule.severity;
    return severity === 'off' ? [] : [{ rule, severity }];
  });
}

/** Judges kernel claims by a baseline. */
export type JudgeKernel = (kernel: KernelClaims) => readonly Finding[];

/** Makes a judge that looks at the same claims once: they stay the same object for as long as nothing changes. */
export function createKernelJudge(baseline: KernelBaseline): JudgeKernel {
  const known = new WeakMap<KernelClaims, readonly Finding[]>();
  return (kernel) => {
    const findings = known.get(kernel) ?? appraiseKernelBaseline(kernel, baseline);
    known.set(kernel, findings);
    return findings;
  };
}

/**
 * Compares kernel claims with a baseline: one finding for each rule that is broken, and one for all rules that cannot be
 * decided, since what is not told is never taken for met. A rule that only informs leaves the status as it is even then.
 */
export function appraiseKernelBaseline(kernel: KernelClaims, baseline: KernelBaseline): Finding[] {
  const words = splitCommandLine(kernel.cmdline);
  const findings: Finding[] = [];
  const open: Record<'info' | 'other', string[]> = { info: [], other: [] };
  for (const { rule, severity } of baseline) {
    const { outcome, actual } = evaluateRequirement(rule.requirement, kernel, words);
    if (outcome === 'undecided') open[severity === 'info' ? 'info' : 'other'].push(rule.id);
    if (outcome === 'unmet') findings.push(toFinding(rule, severity, actual));
  }
  if (open.info.length > 0) findings.push(createFinding('KERNEL_BASELINE_UNKNOWN', { actual: open.info.join(', ') }));
  if (open.other.length > 0) {
    findings.push(createFinding('KERNEL_BASELINE_UNDECIDED', { actual: open.other.join(', ') }));
  }
  return findings;
}

function toFinding({ id, title, reason, requirement }: KernelRule, severity: FindingSeverity, actual: string): Finding {
  const expected = `${id}: ${describeRequirement(requirement)}`;
  return createFinding(CODES[severity], { expected, actual }, `${id}: not so that ${title}. ${reason}`);
}
