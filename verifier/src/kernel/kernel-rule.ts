import type { FindingSeverity } from '../appraisal/finding-code.ts';

/** What a rule asks of the `kernel` claims; evaluated by `evaluateRequirement`. */
export type KernelRequirement =
  /** A kernel parameter that is a whole number, between `min` and `max`, both included. */
  | { readonly kind: 'sysctl'; readonly name: string; readonly min?: number; readonly max?: number }
  /**
   * None of these words stands on the command line: a bare name whatever its value, unless that says no; or a name with
   * one value.
   */
  | { readonly kind: 'commandLineWithout'; readonly words: readonly string[] }
  /** One of these words stands on the command line. */
  | { readonly kind: 'commandLineWith'; readonly words: readonly string[] }
  /** One of these security modules is active. */
  | { readonly kind: 'lsm'; readonly names: readonly string[] }
  /** No CPU vulnerability is open. */
  | { readonly kind: 'noVulnerability' }
  /** The kernel refuses modules that are not signed, or loads none. */
  | { readonly kind: 'moduleSignatures' }
  /** No loaded module has one of these taint flags. */
  | { readonly kind: 'moduleTaint'; readonly flags: readonly string[] };

/** One rule of the kernel baseline. */
export interface KernelRule {
  /** Stable: never given to another rule. */
  readonly id: string;
  readonly title: string;
  /** What goes wrong without it. */
  readonly reason: string;
  /** By default; the verifier's settings may say another, or `off`. */
  readonly severity: FindingSeverity;
  /** Who recommends it. */
  readonly source: string;
  readonly requirement: KernelRequirement;
}

/** A rule in the tables of rules. */
export type KernelRuleRow = readonly [
  id: string,
  severity: FindingSeverity,
  source: string,
  title: string,
  reason: string,
  requirement: KernelRequirement,
];

/** How serious a rule is here; `off` leaves it out. */
export type KernelRuleSeverity = FindingSeverity | 'off';

/** What a rule asks for, for people. */
export function describeRequirement(requirement: KernelRequirement): string {
  switch (requirement.kind) {
    case 'sysctl':
      return `${requirement.name} ${describeRange(requirement)}`;
    case 'commandLineWithout':
      return `none of ${requirement.words.join(' ')} on the command line`;
    case 'commandLineWith':
      return `${requirement.words.join(' or ')} on the command line`;
    case 'lsm':
      return `${requirement.names.join(' or ')} among the security modules`;
    case 'noVulnerability':
      return 'no vulnerability that is told as Vulnerable';
    case 'moduleSignatures':
      return 'sig_enforce, lockdown or kernel.modules_disabled';
    case 'moduleTaint':
      return `no module with taint ${requirement.flags.join(' or ')}`;
  }
}

function describeRange({ min, max }: { readonly min?: number; readonly max?: number }): string {
  if (min === undefined) return max === 0 ? '0' : `at most ${max}`;
  if (max === undefined) return `at least ${min}`;
  return min === max ? String(min) : `${min} to ${max}`;
}
