import type { QuoteFacts } from '../appraisal/appraisal-input.ts';
import type { FindingCode } from '../appraisal/finding-code.ts';
import type { ImaConclusion } from '../ima/ima-conclusion.ts';
import type { BootSession } from '../store/boot-session-store.ts';

/** What tells one boot session from the next. */
export interface BootSessionInputs {
  /** Name of the AK that quoted, hex. */
  readonly akName: string;
  readonly quotes: Pick<QuoteFacts, 'resetCount' | 'restartCount'>;
  readonly ima: Pick<ImaConclusion, 'outcome' | 'entries' | 'isRestarted'>;
  /** That of the last appraised evidence; undefined where there was none. */
  readonly before: Pick<BootSession, 'akName' | 'resetCount' | 'restartCount'> | undefined;
  /** Whether the kernel says that it is the one of the last appraised evidence; false where that is not known. */
  readonly isSameKernel: () => boolean;
}

/**
 * Tells what the signed counters say of the time since the last appraised evidence (design §4.6). A reset is a new boot
 * session. When only the restart counter rose, the TPM was suspended: it resumed if PCR 10 goes on, and was started anew
 * if the IMA list begins anew, which the appraisal of the list says. Without a list the kernel's word has to do: PCRs of
 * the boot are measured alike by every boot. Another AK begins its own count.
 */
export function judgeBootSession({ akName, quotes, ima, before, isSameKernel }: BootSessionInputs): FindingCode[] {
  if (before === undefined || before.akName !== akName) return [];
  if (quotes.resetCount > before.resetCount) return ['BOOT_SESSION_NEW'];
  const isRestart = quotes.resetCount === before.resetCount && quotes.restartCount > before.restartCount;
  if (!isRestart || ima.outcome !== 'matched' || ima.isRestarted) return [];
  return ima.entries > 0 || isSameKernel() ? ['BOOT_SESSION_RESUMED'] : ['BOOT_SESSION_NEW'];
}
