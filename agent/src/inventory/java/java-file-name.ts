/** What the name of an archive says of what is in it. */
export interface JavaFileName {
  /** Undefined where the name holds no version. */
  readonly artifact: string | undefined;
  readonly version: string | undefined;
  /** The name without its suffix. */
  readonly bare: string;
}

/** Words that go on with a version, as in `1.0-beta-2` or `1.0-rc-1.1`. */
const QUALIFIER =
  /^(?:a|alpha|b|beta|m|milestone|rc|cr|c|pre|preview|ea|dev|snapshot|final|ga|release|rel|r|rev|sp|build|incubating)$/i;

/**
 * Parts `ARTIFACT-VERSION.SUFFIX` before the version that the archive itself gives, one of `versions`, else at the first
 * hyphen before a digit. Where words stand between that and a version with a dot (`log4j-1.2-api-2.17.1`), the first
 * number is part of the artifact's own name.
 */
export function parseJavaFileName(fileName: string, versions: readonly string[] = []): JavaFileName {
  const bare = fileName.replace(/\.[a-z]+$/i, '');
  const given = versions.find((version) => version !== '' && bare.endsWith(`-${version}`));
  const artifact = given === undefined ? findArtifact(bare) : bare.slice(0, -given.length - 1);
  const version = bare.slice(artifact.length + 1);
  if (artifact === '' || !/^\d[\w.+~-]*$/.test(version)) return { artifact: undefined, version: undefined, bare };
  return { artifact, version, bare };
}

/** The whole name where it holds no version. */
function findArtifact(bare: string): string {
  const parts = bare.split('-');
  const isNumber = (part: string) => /^\d/.test(part);
  const first = parts.findIndex((part, at) => at > 0 && isNumber(part));
  if (first === -1) return bare;
  const next = parts.findIndex((part, at) => at > first && isNumber(part));
  const words = parts.slice(first + 1, next);
  const isName = words.length > 0 && words.every((word) => /^[a-z]\w*$/i.test(word) && !QUALIFIER.test(word));
  const isVersion = next !== -1 && /^\d+\.\d/.test(parts[next] ?? '');
  return parts.slice(0, isName && isVersion ? next : first).join('-');
}
