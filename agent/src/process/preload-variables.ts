/** Variables by which the dynamic linker loads code into a program. */
const NAMES: ReadonlySet<string> = new Set(['LD_PRELOAD', 'LD_AUDIT']);
const MAX_VALUE = 1024;

/** Finds the variables of an environment (`NAME=value` with NUL after each, latin1) that load code into a program. */
export function findPreloads(environment: string): { readonly name: string; readonly value: string }[] {
  return environment.split('\0').flatMap((line) => {
    const at = line.indexOf('=');
    const [name, value] = [line.slice(0, at), line.slice(at + 1, at + 1 + MAX_VALUE)];
    return at > 0 && value !== '' && NAMES.has(name) ? [{ name, value }] : [];
  });
}
