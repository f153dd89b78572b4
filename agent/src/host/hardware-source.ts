import type { HardwareFacts } from './host-claims.ts';

const TIMEOUT_MS = 10_000;

/**
 * Asks systeminformation for what firmware and CPU say of themselves; each part is null where it takes longer than 10 s
 * or fails. All of it is the host's word.
 */
export async function readHardwareFacts(): Promise<HardwareFacts> {
  const { default: information } = await import('systeminformation');
  const [system, bios, cpu] = await Promise.all([
    withinTime(information.system()),
    withinTime(information.bios()),
    withinTime(information.cpu()),
  ]);
  return {
    system: system && { vendor: system.manufacturer, model: system.model, serial: system.serial },
    bios: bios && { vendor: bios.vendor, version: bios.version, date: bios.releaseDate },
    cpu: cpu && { vendor: cpu.vendor, brand: cpu.brand, cores: cpu.cores },
  };
}

async function withinTime<T>(work: Promise<T>): Promise<T | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, TIMEOUT_MS, null);
  });
  try {
    return await Promise.race([work, late]);
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
  }
}
