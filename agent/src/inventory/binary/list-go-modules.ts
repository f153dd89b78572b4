import type { FoundPackage } from '../inventory-builder.ts';
import { asPackageText } from '../language/manifest-text.ts';
import { formatPurl } from '../purl.ts';
import type { GoBuildInfo } from './go-build-info.ts';

const MAX_MODULES = 20_000;
/** What Go itself calls a module that was built from a directory. */
const DEVEL = '(devel)';

interface GoModule {
  readonly path: string;
  readonly version: string;
}

/**
 * Lists the modules of a Go program: the main module, those it depends on, each as what replaced it where something did,
 * and the standard library by the version of Go. A module that a local directory replaced keeps its name without its
 * version. Go, package runtime/debug, `BuildInfo.String`.
 */
export function listGoModules({ goVersion, modules }: GoBuildInfo): FoundPackage[] {
  const release = /^go(\d[\w.]*)/.exec(goVersion)?.[1];
  const found = parseModules(modules).map(toPackage);
  return release === undefined ? found : [...found, toPackage({ path: 'stdlib', version: release })];
}

function parseModules(text: string): GoModule[] {
  const modules: GoModule[] = [];
  for (const line of text.split('\n')) {
    if (modules.length >= MAX_MODULES) break;
    const [kind, path, version] = line.split('\t').map((field) => field.trimEnd());
    const name = asPackageText(path);
    if (name === undefined) continue;
    const release = asPackageText(version);
    if (kind === 'mod' || kind === 'dep') modules.push({ path: name, version: release ?? DEVEL });
    const replaced = kind === '=>' ? modules.pop() : undefined;
    if (replaced === undefined) continue;
    modules.push(release === undefined ? { path: replaced.path, version: DEVEL } : { path: name, version: release });
  }
  return modules;
}

/** The purl is in lower case as its type wants it; the name stays as written. */
function toPackage({ path, version }: GoModule): FoundPackage {
  const segments = path.toLowerCase().split('/');
  const name = segments.pop() ?? '';
  const purl = formatPurl({ type: 'golang', namespace: segments, name, version });
  return { purl, type: 'golang', name: path, version };
}
