import { hash } from 'node:crypto';
import type { BootFacts } from '@holdfast/evidence';
import { digestOf, type MeasuredEvent } from './compare-boot.ts';

/** What the kernel tells as its command line; null where it tells none. A stranger's word until it is measured. */
export type ToldCommandLine = string | null;

/**
 * The command line behind an event: text that hashes to its digest, from the log or as the kernel tells it; the digest
 * where there is none.
 */
export function describeMeasuredText(actual: MeasuredEvent, facts: BootFacts, told: ToldCommandLine): string {
  const line = facts.commandLine.texts.find(({ index }) => index === actual.event.index);
  if (line !== undefined) return line.text;
  const digest = digestOf(actual);
  const forms = told === null ? [] : [Buffer.from(told, 'utf8'), Buffer.from(`${told}\0`, 'utf16le')];
  return told !== null && forms.some((bytes) => hash('sha256', bytes) === digest) ? told : `sha256:${digest}`;
}
