import { EvidenceError, parseUserspaceLog } from '@holdfast/evidence';
import type { HostFiles } from '../host/host-files.ts';

const LOG = '/run/log/systemd/tpm2-measure.log';
const MAX_LOG_BYTES = 1024 * 1024;
/** PCRs that the operating system extends; what else the log names is for the quote to contradict. */
const USERSPACE_PCRS: readonly (number | null)[] = [11, 15];

/** What systemd measured since the boot; undefined where it keeps no log, or one beyond 1 MiB. Read it after the quotes. */
export function readUserspaceLog(files: HostFiles): Buffer | undefined {
  const log = files.read(LOG, MAX_LOG_BYTES);
  return log !== undefined && log.length > 0 ? log : undefined;
}

/** Lists the PCRs that such a log explains. One that a Verifier would refuse explains nothing. */
export function listUserspacePcrs(log: Buffer): number[] {
  try {
    const pcrs = new Set(parseUserspaceLog(log).map(({ pcr }) => pcr));
    return [...pcrs].filter((pcr) => pcr !== null).filter((pcr) => USERSPACE_PCRS.includes(pcr));
  } catch (error) {
    if (error instanceof EvidenceError) return [];
    throw error;
  }
}
