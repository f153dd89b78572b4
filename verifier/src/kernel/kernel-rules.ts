import { COMMAND_LINE_RULES } from './command-line-rules.ts';
import type { KernelRule, KernelRuleRow } from './kernel-rule.ts';
import { PARAMETER_RULES } from './parameter-rules.ts';

const KSPP = 'KSPP recommended settings';
const KERNEL_DOCS = 'Linux admin-guide';

/** Rules over the kernel's state: 201 on. */
const STATE_RULES: readonly KernelRuleRow[] = [
  [
    'HF-KERNEL-201',
    'info',
    KSPP,
    'a module for mandatory access control is active',
    'Containers would be held by namespaces and capabilities alone.',
    { kind: 'lsm', names: ['apparmor', 'selinux', 'smack', 'tomoyo'] },
  ],
  [
    'HF-KERNEL-202',
    'info',
    KSPP,
    'Yama is active',
    'ptrace could not be restricted.',
    { kind: 'lsm', names: ['yama'] },
  ],
  [
    'HF-KERNEL-203',
    'info',
    KSPP,
    'modules must be signed',
    'Root could load code of its own into the kernel.',
    { kind: 'moduleSignatures' },
  ],
  [
    'HF-KERNEL-204',
    'info',
    KERNEL_DOCS,
    'all modules are of the kernel and signed',
    'The code of others runs in the kernel.',
    { kind: 'moduleTaint', flags: ['P', 'F', 'O', 'E'] },
  ],
  [
    'HF-KERNEL-205',
    'info',
    KERNEL_DOCS,
    'no known fault of the CPU is open',
    'Containers could read memory of the kernel and of one another.',
    { kind: 'noVulnerability' },
  ],
];

/**
 * The baseline in the spirit of the Kernel Self Protection Project. No rule contraindicates by default, and an ordinary
 * hardened server breaks none that warns. docs/protocol.md has one row for each.
 */
export const KERNEL_RULES: readonly KernelRule[] = [...PARAMETER_RULES, ...COMMAND_LINE_RULES, ...STATE_RULES].map(
  ([id, severity, source, title, reason, requirement]) => ({ id, severity, source, title, reason, requirement }),
);
