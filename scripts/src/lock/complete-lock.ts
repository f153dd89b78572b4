import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Adds to a package-lock.json the optional packages of other platforms that a registry mirror did not serve. `npm ci`
 * refuses a lock file in which one is missing, even on a machine that would never install it. Their entries say version,
 * platform and no integrity, so npm skips them here and fetches them where they belong.
 */
interface LockEntry {
  version?: string;
  dev?: boolean;
  optional?: boolean;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optionalDependencies?: Record<string, string>;
}

const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const CPUS = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64'];

const [path = ''] = process.argv.slice(2);
const lock: { packages: Record<string, LockEntry> } = JSON.parse(readFileSync(path, 'utf8'));
const entries = new Map(Object.entries(lock.packages));
let added = 0;
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (entries.has(key)) continue;
    entries.set(key, { version, ...readPlatform(name), ...(entry.dev === true ? { dev: true } : {}), optional: true });
    added += 1;
  }
}
lock.packages = Object.fromEntries([...entries].sort(([a], [b]) => (a < b ? -1 : 1)));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
process.stderr.write(`${added} optional packages of other platforms added to ${path}\n`);

/** Reads the platform out of a name such as `@scope/binding-linux-arm64-musl`. */
function readPlatform(name: string): Pick<LockEntry, 'os' | 'cpu' | 'libc'> {
  const words = name
    .split(/[/_-]/)
    .map((word) => (word.startsWith('armv') ? 'arm' : word === 'aarch64' ? 'arm64' : word));
  const os = SYSTEMS.filter((system) => words.includes(system));
  const cpu = CPUS.filter((known) => words.includes(known));
  const libc = words.some((word) => word.startsWith('musl')) ? ['musl'] : words.includes('gnu') ? ['glibc'] : [];
  return { ...(os.length > 0 ? { os } : {}), ...(cpu.length > 0 ? { cpu } : {}), ...(libc.length > 0 ? { libc } : {}) };
}
