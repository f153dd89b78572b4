/** One mapping of a process that matters: executable, or a file that it may write to and shares. */
export interface MapRegion {
  /** Name of the mapping below /proc/PID/map_files. */
  readonly range: string;
  readonly isExecutable: boolean;
  readonly isSharedWritable: boolean;
  /** `major:minor`, hex, as the kernel writes it. */
  readonly device: string;
  /** `0` where no file backs it. */
  readonly inode: string;
  /** Bytes as latin1; empty, a name in brackets, or a path that may end in ` (deleted)`. */
  readonly path: string;
}

const LINE = /^([0-9a-f]+)-([0-9a-f]+) ([r-][w-][x-][sp]) [0-9a-f]+ ([0-9a-f]+:[0-9a-f]+) (\d+) *(.*)$/;

/**
 * Parses /proc/PID/maps (proc(5)) and keeps what is executable or shared and writable. The kernel wrote it: a line that is
 * not of its form can only be the last one of a text that was cut, and is left out.
 */
export function parseMaps(bytes: Buffer): MapRegion[] {
  const regions: MapRegion[] = [];
  for (const line of bytes.toString('latin1').split('\n')) {
    const [, start, end, access, device, inode, path] = LINE.exec(line) ?? [];
    if (!start || !end || !access || !device || !inode || path === undefined) continue;
    const isExecutable = access[2] === 'x';
    const isSharedWritable = access[1] === 'w' && access[3] === 's' && inode !== '0';
    if (!isExecutable && !isSharedWritable) continue;
    regions.push({
      range: `${trimZeros(start)}-${trimZeros(end)}`,
      isExecutable,
      isSharedWritable,
      device,
      inode,
      // Of a path, only the line feed is escaped.
      path: path.replaceAll('\\012', '\n'),
    });
  }
  return regions;
}

/** The kernel pads addresses in the text, and not in the names of map_files. */
function trimZeros(address: string): string {
  return address.replace(/^0+(?=.)/, '');
}

const KERNEL_CODE: ReadonlySet<string> = new Set(['[vdso]', '[vsyscall]', '[uprobes]', '[sigpage]', '[vectors]']);

/** Code that the kernel itself puts into every process. Names that a process gives have another form. */
export function isKernelCode({ path, inode }: MapRegion): boolean {
  return inode === '0' && KERNEL_CODE.has(path);
}

/** Memory that no file backs, whatever its name: also what is shared by inheritance or System V, and every memfd. */
export function isAnonymous({ path, device, inode }: MapRegion): boolean {
  return inode === '0' || (device === SHARED_MEMORY_DEVICE && /^\/(?:memfd:|dev\/zero |SYSV)/.test(path));
}

/** The kernel's own tmpfs, which it makes first of all file systems without a device and mounts nowhere. */
export const SHARED_MEMORY_DEVICE = '00:01';
