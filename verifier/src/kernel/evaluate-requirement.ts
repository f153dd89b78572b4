import type { KernelClaims } from '@holdfast/evidence';
import type { KernelRequirement } from './kernel-rule.ts';

/** Whether claims meet a requirement; `undecided` where they lack what it reads. */
export interface RequirementOutcome {
  readonly outcome: 'met' | 'unmet' | 'undecided';
  /** What the claims say. */
  readonly actual: string;
}

const MAX_ACTUAL_CHARS = 512;
const LOCKED = /\[(?:integrity|confidentiality)\]/;
const NO = new Set(['0', 'n', 'no', 'off', 'false']);
const UNDECIDED: RequirementOutcome = { outcome: 'undecided', actual: 'not told' };

/** Evaluates a requirement over the claims, and nothing else. `words` are those of the command line. */
export function evaluateRequirement(
  requirement: KernelRequirement,
  kernel: KernelClaims,
  words: readonly string[] = splitCommandLine(kernel.cmdline),
): RequirementOutcome {
  switch (requirement.kind) {
    case 'sysctl':
      return evaluateSysctl(requirement, kernel);
    case 'commandLineWithout':
    case 'commandLineWith':
      return evaluateCommandLine(requirement, kernel, words);
    case 'lsm':
      return evaluateLsm(requirement.names, kernel.lsm);
    case 'noVulnerability':
      return evaluateVulnerabilities(kernel.vulnerabilities);
    case 'moduleSignatures':
      return evaluateModuleSignatures(kernel);
    case 'moduleTaint':
      return evaluateModuleTaint(requirement.flags, kernel.modules);
  }
}

function decide(isMet: boolean, actual: string): RequirementOutcome {
  return { outcome: isMet ? 'met' : 'unmet', actual: actual.slice(0, MAX_ACTUAL_CHARS) };
}

function evaluateSysctl(
  { name, min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: KernelRequirement & { kind: 'sysctl' },
  { sysctl }: KernelClaims,
): RequirementOutcome {
  const text = Object.hasOwn(sysctl, name) ? sysctl[name]?.trim() : undefined;
  if (text === undefined || !/^-?\d{1,15}$/.test(text)) return UNDECIDED;
  return decide(Number(text) >= min && Number(text) <= max, text);
}

function evaluateCommandLine(
  { kind, words: wanted }: KernelRequirement & { kind: 'commandLineWith' | 'commandLineWithout' },
  { limits }: KernelClaims,
  words: readonly string[],
): RequirementOutcome {
  if (limits.includes('cmdline:unreadable')) return UNDECIDED;
  const found = words.filter((word) => wanted.some((each) => isWord(word, each)));
  return decide(found.length > 0 === (kind === 'commandLineWith'), found.join(' ') || 'not there');
}

/**
 * Words of a command line as the kernel parts them (Linux `lib/cmdline.c`, `next_arg`): quotes keep spaces together, and
 * what stands behind `--` is for the first process. Dashes in names are underscores.
 */
export function splitCommandLine(text: string): string[] {
  const words = [...text.matchAll(/(?:"[^"]*"?|[^\s"])+/g)].map(([word]) => word.replaceAll('"', ''));
  const end = words.indexOf('--');
  return words.slice(0, end < 0 ? undefined : end).map((word) => {
    const [name = '', ...value] = word.split('=');
    return [name.replaceAll('-', '_'), ...value].join('=');
  });
}

function isWord(word: string, wanted: string): boolean {
  if (wanted.includes('=')) return word === wanted;
  const [name, value = ''] = word.split('=');
  return name === wanted && !NO.has(value);
}

function evaluateLsm(names: readonly string[], lsm: string | null): RequirementOutcome {
  if (lsm === null) return UNDECIDED;
  const active = lsm.trim().split(',');
  return decide(
    names.some((name) => active.includes(name)),
    lsm.trim(),
  );
}

function evaluateVulnerabilities(vulnerabilities: KernelClaims['vulnerabilities']): RequirementOutcome {
  const entries = Object.entries(vulnerabilities);
  if (entries.length === 0) return UNDECIDED;
  const open = entries.filter(([, text]) => /^Vulnerable\b/.test(text)).map(([name]) => name);
  return decide(open.length === 0, open.toSorted().join(', ') || 'none');
}

function evaluateModuleSignatures({ moduleSigEnforce, lockdown, sysctl }: KernelClaims): RequirementOutcome {
  const enforce = moduleSigEnforce?.trim();
  const disabled = Object.hasOwn(sysctl, 'kernel.modules_disabled')
    ? sysctl['kernel.modules_disabled']?.trim()
    : undefined;
  const isMet = enforce === 'Y' || enforce === '1' || disabled === '1' || LOCKED.test(lockdown ?? '');
  if (!isMet && (enforce === undefined || lockdown === null || disabled === undefined)) return UNDECIDED;
  return decide(isMet, `sig_enforce ${enforce ?? 'not told'}, lockdown ${lockdown?.trim() ?? 'not told'}`);
}

function evaluateModuleTaint(flags: readonly string[], modules: KernelClaims['modules']): RequirementOutcome {
  if (modules === null) return UNDECIDED;
  const tainting = modules.filter(({ taint }) => flags.some((flag) => taint.includes(flag)));
  return decide(tainting.length === 0, tainting.map(({ name, taint }) => `${name} (${taint})`).join(', ') || 'none');
}
