import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { KernelClaims } from '@holdfast/evidence';
import { QUIET_KERNEL } from '../appraisal/evidence.test-support.ts';
import { evaluateRequirement, splitCommandLine } from './evaluate-requirement.ts';
import { appraiseKernelBaseline, createKernelBaseline, createKernelJudge } from './kernel-baseline.ts';
import type { KernelRule } from './kernel-rule.ts';
import { KERNEL_RULES } from './kernel-rules.ts';

const module = { name: 'ext4', size: 1, taint: '', signature: 'appended', signer: 'Debian' } as const;

/** What a machine that meets every rule tells. */
const HARDENED: KernelClaims = {
  ...QUIET_KERNEL,
  cmdline: 'BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro quiet mitigations=auto slab_nomerge init_on_alloc=1',
  lsm: 'lockdown,capability,yama,apparmor',
  moduleSigEnforce: 'N',
  modules: [module],
  sysctl: {
    'kernel.kptr_restrict': '2',
    'kernel.dmesg_restrict': '1',
    'kernel.perf_event_paranoid': '3',
    'kernel.kexec_load_disabled': '1',
    'kernel.randomize_va_space': '2',
    'kernel.yama.ptrace_scope': '1',
    'kernel.unprivileged_bpf_disabled': '2',
    'kernel.modules_disabled': '0',
    'net.core.bpf_jit_harden': '2',
    'vm.unprivileged_userfaultfd': '0',
    'vm.mmap_min_addr': '65536',
    'user.max_user_namespaces': '0',
    'dev.tty.ldisc_autoload': '0',
    'dev.tty.legacy_tiocsti': '0',
    'fs.protected_symlinks': '1',
    'fs.protected_hardlinks': '1',
    'fs.protected_fifos': '1',
    'fs.protected_regular': '2',
    'fs.suid_dumpable': '0',
  },
  vulnerabilities: { meltdown: 'Not affected', spectre_v2: 'Mitigation: Retpolines' },
};

/** Debian 12 as it is installed: its kernel's defaults and those of systemd and procps. */
const DEBIAN: KernelClaims = {
  ...HARDENED,
  cmdline: 'BOOT_IMAGE=/vmlinuz-6.1.0-27-amd64 root=UUID=1b2c ro quiet',
  lockdown: '[none] integrity confidentiality',
  lsm: 'lockdown,capability,landlock,yama,apparmor,tomoyo,bpf',
  sysctl: {
    ...HARDENED.sysctl,
    'kernel.kptr_restrict': '0',
    'kernel.yama.ptrace_scope': '0',
    'kernel.kexec_load_disabled': '0',
    'net.core.bpf_jit_harden': '0',
    'user.max_user_namespaces': '63459',
    'dev.tty.ldisc_autoload': '1',
    'fs.suid_dumpable': '2',
  },
  vulnerabilities: { spec_rstack_overflow: 'Vulnerable: Safe RET, no microcode' },
};

const baseline = createKernelBaseline();
const codesOf = (kernel: KernelClaims) => [
  ...new Set(appraiseKernelBaseline(kernel, baseline).map(({ code }) => code)),
];
const findRule = (id: string): KernelRule => KERNEL_RULES.find((rule) => rule.id === id) ?? assert.fail(id);
const judge = (id: string, kernel: KernelClaims) => evaluateRequirement(findRule(id).requirement, kernel);

suite('the kernel baseline', () => {
  test('has stable ids, each once and in order, and a reason for each', () => {
    const ids = KERNEL_RULES.map(({ id }) => id);
    assert.deepEqual(ids, [...new Set(ids)].sort());
    for (const { id, title, reason, source, severity } of KERNEL_RULES) {
      assert.match(id, /^HF-KERNEL-\d{3}$/);
      assert.ok(title !== '' && reason.endsWith('.') && source !== '', id);
      assert.notEqual(severity, 'contraindicated');
    }
  });

  test('finds nothing on a hardened machine', () => {
    assert.deepEqual(appraiseKernelBaseline(HARDENED, baseline), []);
  });

  test('leaves the status of an ordinary Debian as it is', () => {
    assert.deepEqual(codesOf(DEBIAN), ['KERNEL_BASELINE_NOTE']);
  });

  test('names rule, reason, what was expected and what is', () => {
    const [finding] = appraiseKernelBaseline({ ...HARDENED, cmdline: 'ro nokaslr slab_nomerge' }, baseline);
    assert.deepEqual(finding, {
      code: 'KERNEL_BASELINE_WARNING',
      severity: 'warning',
      message:
        'HF-KERNEL-102: not so that the kernel is placed at random. Every exploit of the kernel knows where things are.',
      expected: 'HF-KERNEL-102: none of nokaslr on the command line',
      actual: 'nokaslr',
    });
  });

  test('decides nothing without data, and never passes', () => {
    const blind: KernelClaims = { ...QUIET_KERNEL, lockdown: null, limits: ['cmdline:unreadable'], sysctl: {} };
    const findings = appraiseKernelBaseline(blind, baseline);
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['KERNEL_BASELINE_UNKNOWN', 'KERNEL_BASELINE_UNDECIDED'],
    );
    const named = findings.flatMap(({ actual }) => actual?.split(', ') ?? []);
    assert.deepEqual(named.toSorted(), KERNEL_RULES.map(({ id }) => id).toSorted());
  });

  test('is looked at once for the same claims', () => {
    const judge = createKernelJudge(baseline);
    assert.deepEqual(judge(DEBIAN), appraiseKernelBaseline(DEBIAN, baseline));
    assert.equal(judge(DEBIAN), judge(DEBIAN));
    assert.deepEqual(judge(HARDENED), []);
  });

  test('takes severities and omissions from the settings', () => {
    const kernel = { ...HARDENED, cmdline: 'nokaslr', sysctl: { ...HARDENED.sysctl, 'kernel.kptr_restrict': '0' } };
    const strict = createKernelBaseline(
      new Map([
        ['HF-KERNEL-001', 'contraindicated'],
        ['HF-KERNEL-102', 'off'],
        ['HF-KERNEL-110', 'warning'],
      ]),
    );
    const codes = appraiseKernelBaseline(kernel, strict).map(({ code, expected }) => [code, expected?.slice(0, 13)]);
    assert.deepEqual(codes, [
      ['KERNEL_BASELINE_BROKEN', 'HF-KERNEL-001'],
      ['KERNEL_BASELINE_WARNING', 'HF-KERNEL-110'],
    ]);
    assert.deepEqual(appraiseKernelBaseline(kernel, []), []);
  });

  for (const rule of KERNEL_RULES) {
    test(`rule ${rule.id} is met, broken alone and undecided without its data`, () => {
      assert.equal(judge(rule.id, HARDENED).outcome, 'met');
      const broken = breakRule(rule);
      assert.equal(judge(rule.id, broken).outcome, 'unmet');
      const others = appraiseKernelBaseline(broken, baseline).map(({ expected }) => expected?.slice(0, 13));
      assert.deepEqual(others, [rule.id]);
      assert.equal(judge(rule.id, blindRule(rule)).outcome, 'undecided');
    });
  }

  test('a parameter that is no number decides nothing', () => {
    for (const text of ['', 'on', '1 2', '0x1', '1'.repeat(20)]) {
      const sysctl = { ...HARDENED.sysctl, 'kernel.kptr_restrict': text };
      assert.equal(judge('HF-KERNEL-001', { ...HARDENED, sysctl }).outcome, 'undecided');
    }
  });

  test('signed modules are proven by any of three, and need all three to be denied', () => {
    const open = { ...HARDENED, lockdown: '[none] integrity', moduleSigEnforce: 'N' };
    assert.equal(judge('HF-KERNEL-203', open).outcome, 'unmet');
    assert.equal(judge('HF-KERNEL-203', { ...open, moduleSigEnforce: 'Y\n' }).outcome, 'met');
    assert.equal(judge('HF-KERNEL-203', { ...open, moduleSigEnforce: null }).outcome, 'undecided');
    assert.equal(judge('HF-KERNEL-203', { ...open, moduleSigEnforce: null, lockdown: '[integrity]' }).outcome, 'met');
  });

  test('words of a command line are parted as the kernel does', () => {
    assert.deepEqual(splitCommandLine(' a  b="c d" "mitigations=off" x-y=z-1 -- nokaslr'), [
      'a',
      'b=c d',
      'mitigations=off',
      'x_y=z-1',
    ]);
    const line = (cmdline: string) => judge('HF-KERNEL-107', { ...HARDENED, cmdline }).outcome;
    assert.equal(line('rd.break=pre-mount'), 'unmet');
    assert.equal(line('systemd.debug-shell=1'), 'unmet');
    assert.equal(line('systemd.debug_shell=no'), 'met');
    assert.equal(line('init=/sbin/init -- single'), 'met');
  });
});

/** Claims that break one rule and no other. */
function breakRule({ requirement }: KernelRule): KernelClaims {
  switch (requirement.kind) {
    case 'sysctl': {
      const { name, min, max = 0 } = requirement;
      return { ...HARDENED, sysctl: { ...HARDENED.sysctl, [name]: String(min === undefined ? max + 1 : min - 1) } };
    }
    case 'commandLineWithout':
      return { ...HARDENED, cmdline: `${HARDENED.cmdline} ${requirement.words.at(-1)}` };
    case 'commandLineWith':
      return { ...HARDENED, cmdline: 'ro quiet' };
    case 'lsm': {
      const rest = HARDENED.lsm?.split(',').filter((name) => !requirement.names.includes(name));
      return { ...HARDENED, lsm: rest?.join(',') ?? '' };
    }
    case 'moduleSignatures':
      return { ...HARDENED, lockdown: '[none] integrity confidentiality' };
    case 'moduleTaint':
      return { ...HARDENED, modules: [module, { ...module, name: 'nvidia', taint: 'POE' }] };
    case 'noVulnerability':
      return { ...HARDENED, vulnerabilities: { meltdown: 'Vulnerable' } };
  }
}

/** Claims without what one rule reads. */
function blindRule({ requirement }: KernelRule): KernelClaims {
  if (requirement.kind === 'sysctl') {
    const { [requirement.name]: _gone, ...sysctl } = HARDENED.sysctl;
    return { ...HARDENED, sysctl };
  }
  const blind = { lsm: null, modules: null, vulnerabilities: {}, lockdown: null, limits: ['cmdline:unreadable'] };
  return { ...HARDENED, ...blind };
}
