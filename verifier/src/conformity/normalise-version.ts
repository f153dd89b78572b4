/** Longer versions are compared as they stand. */
const MAX_LENGTH = 256;

const PEP_440 =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|rc|c)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;
const PRE_RELEASES: Readonly<Record<string, string>> = { alpha: 'a', beta: 'b', c: 'rc', pre: 'rc', preview: 'rc' };

/** Go's word for a main module that was built outside version control; tools also leave the version out. */
export const GO_DEVEL = '(devel)';

/**
 * A version in the form in which two tools agree on it, for equality only: never for order.
 *
 * Python by PEP 440, npm and NuGet without build metadata, Go and Composer without leading `v`, RubyGems without
 * platform; all other types as they stand. deb and rpm epochs are `normaliseOsVersion`.
 */
export function normaliseVersion(type: string, version: string): string {
  if (version.length > MAX_LENGTH) return version;
  switch (type) {
    case 'pypi':
      return normalisePep440(version);
    case 'npm':
      return stripBuild(version.replace(/^[v=]+/, ''));
    case 'nuget':
      return stripBuild(version).toLowerCase();
    case 'composer':
      return version.replace(/^v(?=\d)/, '');
    case 'golang':
      return version === '' ? GO_DEVEL : version.replace(/^(?:v|go)(?=\d)/, '');
    case 'gem':
      return version.replace(/^(\d[^-]*)-.*$/, '$1');
    default:
      return version;
  }
}

/**
 * `epoch:version` of a deb or rpm, without epoch 0. The epoch comes from the version's prefix or from a qualifier.
 * Returns undefined where the two contradict each other.
 */
export function normaliseOsVersion(version: string, qualifier: string | undefined): string | undefined {
  const prefix = /^(\d{1,9}):/.exec(version)?.[1];
  if (qualifier !== undefined && !/^\d{1,9}$/.test(qualifier)) return undefined;
  if (prefix !== undefined && qualifier !== undefined && Number(prefix) !== Number(qualifier)) return undefined;
  const epoch = Number(prefix ?? qualifier ?? '0');
  const bare = prefix === undefined ? version : version.slice(prefix.length + 1);
  return epoch === 0 ? bare : `${epoch}:${bare}`;
}

function stripBuild(version: string): string {
  const plus = version.indexOf('+');
  return plus === -1 ? version : version.slice(0, plus);
}

function normalisePep440(version: string): string {
  const text = version.toLowerCase();
  const match = PEP_440.exec(text);
  if (match === null) return text;
  const [, epoch, release, pre, preNumber, dashPost, post, postNumber, dev, devNumber, local] = match;
  const numbers = (release ?? '').split('.').map(stripZeros);
  while (numbers.length > 1 && numbers.at(-1) === '0') numbers.pop();
  const postText = dashPost ?? (post === undefined ? undefined : (postNumber ?? ''));
  return [
    epoch === undefined || stripZeros(epoch) === '0' ? '' : `${stripZeros(epoch)}!`,
    numbers.join('.'),
    pre === undefined ? '' : `${PRE_RELEASES[pre] ?? pre}${stripZeros(preNumber ?? '')}`,
    postText === undefined ? '' : `.post${stripZeros(postText)}`,
    dev === undefined ? '' : `.dev${stripZeros(devNumber ?? '')}`,
    local === undefined ? '' : `+${local.replaceAll(/[-_]/g, '.')}`,
  ].join('');
}

function stripZeros(digits: string): string {
  const stripped = digits.replace(/^0+/, '');
  return stripped === '' ? '0' : stripped;
}
