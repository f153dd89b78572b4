import type { SbomPackage } from '../sbom/sbom.ts';
import type { ExplainedReason } from './comparison.ts';
import type { Purl } from './purl.ts';

/** Lock files and manifests that declare what might be installed. */
const LOCK_FILE =
  /(?:^|\/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|poetry\.lock|Pipfile\.lock|requirements\.txt|Gemfile\.lock|Cargo\.lock|composer\.lock|go\.(?:mod|sum)|pom\.xml|gradle\.lockfile|packages\.lock\.json)$/;
const EMBEDDED_SBOM = /(?:\.(?:cdx|bom|sbom|spdx)(?:\.json|\.xml)?|\/\.spdx-[^/]*\.spdx)$/;
/** Where Debian's own packages put language packages; other installers use /usr/local or a place of the application. */
const OS_PLACES = [
  '/usr/lib/python3/dist-packages/',
  '/usr/share/python-wheels/',
  '/usr/share/nodejs/',
  '/usr/lib/nodejs/',
  '/usr/share/rubygems-integration/',
  '/usr/lib/ruby/',
  '/usr/share/maven-repo/',
  '/usr/share/java/',
];

/**
 * Why a row of an SBOM may stand on one side only, judged by the row alone; null where it may not.
 *
 * Only for what a builder's tool listed: a row of an inventory is never excused by its looks.
 */
export function excuseSbomPackage(entry: SbomPackage, purl: Purl): ExplainedReason | null {
  if (purl.type === 'generic' || purl.type === 'bitnami') return 'generic-component';
  if (purl.type === 'oci' || purl.type === 'docker') return 'not-a-package';
  if (entry.isSource === true || ['source', 'src'].includes(purl.qualifiers.get('arch') ?? '')) return 'source-package';
  if (entry.optional === true) return 'optional';
  if (entry.paths.length === 0) return null;
  const paths = entry.paths.map((path) => (path.startsWith('/') ? path : `/${path}`));
  if (paths.every((path) => EMBEDDED_SBOM.test(path))) return 'embedded-sbom';
  if (paths.every((path) => LOCK_FILE.test(path))) return 'declared-only';
  return paths.every((path) => OS_PLACES.some((place) => path.startsWith(place))) ? 'os-owned' : null;
}
