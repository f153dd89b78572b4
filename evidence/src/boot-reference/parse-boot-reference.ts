import { hash } from 'node:crypto';
import {
  array,
  boolean,
  hex,
  integer,
  nullable,
  object,
  oneOf,
  optional,
  record,
  type Shape,
  text,
} from '../encoding/shape.ts';
import { EvidenceError } from '../evidence-error.ts';
import { type BootReference, computePcrValues, EXPECTED_EVENT_KINDS, type ExpectedEvent } from './boot-reference.ts';

const MAX_EVENTS = 512;
const MAX_NAME = 256;
const MAX_COMMAND_LINE = 65_536;
const MAX_PCR = 15;

const expectedEvent: Shape<ExpectedEvent> = object<ExpectedEvent>({
  pcr: integer({ max: MAX_PCR }),
  kind: oneOf(...EXPECTED_EVENT_KINDS),
  name: text(MAX_NAME),
  digest: nullable(hex(32)),
  optional: optional(boolean),
});

const bootReference: Shape<BootReference> = object<BootReference>({
  version: oneOf(1),
  commandLine: nullable(text(MAX_COMMAND_LINE)),
  secureBoot: nullable(boolean),
  pcrs: record(/^(?:\d|1[0-5])$/, array(hex(32), { max: 16 }), { max: MAX_PCR + 1 }),
  events: array(expectedEvent, { min: 1, max: MAX_EVENTS }),
});

/**
 * Reads the predicate of a boot reference: every field and its bounds, then that it agrees with itself: only compared PCRs
 * have events, their values are those of the events, the text of the command line is the one that is measured.
 *
 * Throws `EvidenceError` ERR_EVIDENCE_CLAIMS.
 */
export function parseBootReference(predicate: unknown): BootReference {
  bootReference.check(predicate, 'boot reference');
  const { pcrs, events, commandLine } = predicate;
  const stray = events.find(({ pcr }) => !Object.hasOwn(pcrs, String(pcr)));
  if (stray !== undefined) throw refuse(`it has events of PCR ${stray.pcr}, which it does not compare`);
  for (const [pcr, values] of Object.entries(pcrs)) {
    const computed = computePcrValues(events, Number(pcr));
    if (computed.join() !== values.join()) throw refuse(`its events do not give its values of PCR ${pcr}`);
  }
  const isInitrd = events.every(({ kind, digest }) => digest !== null || kind === 'initrd');
  if (!isInitrd) throw refuse('it leaves out a digest that can be told');
  const options = events.find(({ kind }) => kind === 'loadOptions');
  const digest = commandLine === null ? null : hash('sha256', Buffer.from(`${commandLine}\0`, 'utf16le'));
  if (options !== undefined && options.digest !== digest) throw refuse('its command line is not the one it measures');
  return predicate;
}

function refuse(reason: string): EvidenceError {
  return new EvidenceError('ERR_EVIDENCE_CLAIMS', `boot reference: ${reason}`);
}
