import type { KernelClaims } from '@holdfast/evidence';
import { createFinding, type Finding } from '../appraisal/finding.ts';
import type { JudgeKernel } from './kernel-baseline.ts';

/** Documentation/admin-guide/tainted-kernels.rst: forced module load, unsigned module. */
const TAINT_MODULE = (1n << 1n) | (1n << 13n);

/**
 * Appraises what the kernel says of itself: lockdown, taint, kexec, what could not be read, and the baseline. All of it is
 * the agent's word, but for the command line, which `appraiseBoot` compares with the measured one.
 */
export function appraiseKernel(kernel: KernelClaims, judge: JudgeKernel): Finding[] {
  const taint = /^\d{1,19}$/.test(kernel.tainted.trim()) ? BigInt(kernel.tainted.trim()) : undefined;
  const findings: Finding[] = [];
  if (!/\[(?:integrity|confidentiality)\]/.test(kernel.lockdown ?? '')) {
    findings.push(createFinding('KERNEL_LOCKDOWN_NONE', { actual: kernel.lockdown ?? 'not readable' }));
  }
  if (taint === undefined || taint !== 0n) findings.push(createFinding('KERNEL_TAINTED', { actual: kernel.tainted }));
  if (taint !== undefined && (taint & TAINT_MODULE) !== 0n) findings.push(createFinding('KERNEL_MODULE_UNSIGNED'));
  if (kernel.kexecLoaded?.trim() === '1') findings.push(createFinding('KEXEC_LOADED'));
  if (kernel.limits.length > 0) {
    findings.push(createFinding('KERNEL_CLAIMS_LIMITED', { actual: kernel.limits.join(', ') }));
  }
  return [...findings, ...judge(kernel)];
}
