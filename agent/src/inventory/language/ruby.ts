import type { FoundPackage } from '../inventory-builder.ts';
import { formatPurl } from '../purl.ts';

const WORD = String.raw`["']([^"'\s]{1,128})["']`;

/**
 * Reads an installed `.gemspec`: the stub comment that RubyGems writes (`# stub: NAME VERSION PLATFORM PATHS`), else the
 * assignments of name and version. The file is Ruby and is not run.
 */
export function parseGemspec(bytes: Buffer): FoundPackage[] {
  const text = bytes.toString('utf8');
  const stub = /^# stub: (\S{1,128}) (\S{1,128}) \S+/m.exec(text);
  const name = stub?.[1] ?? new RegExp(String.raw`^\s*\w+\.name\s*=\s*${WORD}`, 'm').exec(text)?.[1];
  const assigned = new RegExp(String.raw`^\s*\w+\.version\s*=\s*(?:Gem::Version\.new\(\s*)?${WORD}`, 'm').exec(
    text,
  )?.[1];
  const version = stub?.[2] ?? assigned;
  if (name === undefined || version === undefined || !/^[\w.-]+$/.test(name) || !/^[\w.+-]+$/.test(version)) return [];
  return [{ purl: formatPurl({ type: 'gem', name, version }), type: 'gem', name, version }];
}
