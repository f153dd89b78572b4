import type { FoundPackage } from '../inventory-builder.ts';
import { formatPurl } from '../purl.ts';

const NAME = /^[^\S\r\n\u2028\u2029]*\w+\.name\s*=\s*["']([^"'\s]{1,128})["']/m;
const VERSION = /^[^\S\r\n\u2028\u2029]*\w+\.version\s*=\s*(?:Gem::Version\.new\(\s*)?["']([^"'\s]{1,128})["']/m;

/**
 * Reads an installed `.gemspec`: the stub comment that RubyGems writes (`# stub: NAME VERSION PLATFORM PATHS`), else the
 * assignments of name and version. The file is Ruby and is not run.
 */
export function parseGemspec(bytes: Buffer): FoundPackage[] {
  const text = bytes.toString('utf8');
  const stub = /^# stub: (\S{1,128}) (\S{1,128}) \S+/m.exec(text);
  const name = stub?.[1] ?? NAME.exec(text)?.[1];
  const version = stub?.[2] ?? VERSION.exec(text)?.[1];
  if (name === undefined || version === undefined || !/^[\w.-]+$/.test(name) || !/^[\w.+-]+$/.test(version)) return [];
  return [{ purl: formatPurl({ type: 'gem', name, version }), type: 'gem', name, version }];
}
