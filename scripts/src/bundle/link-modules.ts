import { posix } from 'node:path';

/** Where the modules of a build lie, all as CommonJS: paths from its directory. */
export interface ModuleSource {
  read(path: string): string;
  /** Path of the module that a package's name, or one of its entry points, stands for; undefined where it is not ours. */
  findPackage(name: string): string | undefined;
}

/** `import()` as tsc writes it for CommonJS. */
const DYNAMIC = /Promise\.resolve\(\)\.then\(\(\) => __importStar\(require\((["'])([^"']+)\1\)\)\)/g;
const STATIC = /\brequire\("([^"]+)"\)/g;
const META = /\bimport\.meta\b/g;

const HEAD = `'use strict';
const loaded = new Map();
const metaOf = (id) => {
  const filename = require('node:path').join(__dirname, ROOT, id);
  return { filename, dirname: require('node:path').dirname(filename), url: require('node:url').pathToFileURL(filename).href };
};
const load = (id) => {
  let module = loaded.get(id);
  if (module === undefined) {
    loaded.set(id, (module = { exports: {} }));
    modules[id](module.exports, module);
  }
  return module.exports;
};
`;

/**
 * Puts an entry module and all that it imports into the text of one CommonJS file that is to lie at `out`, below the same
 * directory. What \`import()\` names stays where it is and is loaded from there. Throws for a module that is not there.
 */
export function linkModules(entry: string, out: string, source: ModuleSource): string {
  const texts = new Map<string, string>();
  const waiting = [entry];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (texts.has(id)) continue;
    const { text, imports } = linkModule(id, out, source);
    texts.set(id, text);
    waiting.push(...imports);
  }
  const root = posix.relative(posix.dirname(out), '') || '.';
  const modules = [...texts].map(
    ([id, text]) => `${JSON.stringify(id)}: (function (exports, module) {\n${text}\n}),\n`,
  );
  return `${HEAD.replace('ROOT', JSON.stringify(root))}const modules = {\n${modules.join('')}};\nload(${JSON.stringify(entry)});\n`;
}

function linkModule(id: string, out: string, source: ModuleSource): { text: string; imports: string[] } {
  if (id.endsWith('.json'))
    return { text: `module.exports = ${JSON.stringify(JSON.parse(source.read(id)))};`, imports: [] };
  const imports: string[] = [];
  const resolve = (name: string): string | undefined =>
    name.startsWith('.') ? posix.join(posix.dirname(id), name) : source.findPackage(name);
  const text = source
    .read(id)
    .replaceAll(DYNAMIC, (_, _quote, name: string) => `import(${JSON.stringify(pathFrom(out, resolve(name)) ?? name)})`)
    .replaceAll(STATIC, (call, name: string) => {
      const found = resolve(name);
      if (found === undefined) return call;
      imports.push(found);
      return `load(${JSON.stringify(found)})`;
    })
    .replaceAll(META, `metaOf(${JSON.stringify(id)})`);
  return { text, imports };
}

function pathFrom(out: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const relative = posix.relative(posix.dirname(out), path);
  return relative.startsWith('.') ? relative : `./${relative}`;
}
