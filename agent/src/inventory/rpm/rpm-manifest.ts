/** What says which package one is, as rpm's own tags hold it. */
export interface RpmIdentity {
  readonly name: string;
  readonly version: string;
  readonly release: string;
  /** Empty for packages without. */
  readonly arch: string;
  readonly epoch: number;
  /** File name of the source package; empty without. */
  readonly sourceRpm: string;
}

const FIELDS = 10;
const NONE = '(none)';

/**
 * Reads the list that images of Azure Linux without rpm keep in its place (`container-manifest-2`): one line a package,
 * fields between tabs: name, version-release, two times, vendor, epoch, size, architecture, epoch number, source rpm.
 * Undefined stands for a line that cannot be one.
 */
export function* parseRpmManifest(text: string): Generator<RpmIdentity | undefined> {
  for (const line of text.split('\n')) {
    if (line.trim() !== '') yield parseLine(line.replace(/\r$/, ''));
  }
}

function parseLine(line: string): RpmIdentity | undefined {
  const fields = line.split('\t');
  const [name = '', full = '', , , , epochText = '', , arch = '', , sourceRpm = ''] = fields;
  const [version = '', release = '', ...more] = full.split('-');
  const isEpoch = epochText === NONE || epochText === '' || /^\d{1,9}$/.test(epochText);
  if (fields.length < FIELDS || more.length > 0 || !isEpoch) return undefined;
  const epoch = epochText === NONE ? 0 : Number(epochText);
  return { name, version, release, arch: orEmpty(arch), epoch, sourceRpm: orEmpty(sourceRpm) };
}

function orEmpty(field: string): string {
  return field === NONE ? '' : field;
}
