import { type BootFacts, matchCommandLine } from '@holdfast/evidence';
import { digestOf, type MeasuredEvent } from './compare-boot.ts';

/** What the kernel tells as its command line; null where it tells none. A stranger's word until it is measured. */
export type ToldCommandLine = string | null;

/**
 * The command lines behind events, each once: texts that hash to their digests, from the log or as the kernel tells them.
 * Where there is no text at all, the first digest stands for all: they are of one line in several encodings.
 */
export function listMeasuredTexts(
  events: readonly (MeasuredEvent | null)[],
  facts: BootFacts,
  told: ToldCommandLine,
): string[] {
  const known = [...facts.commandLine.texts.map(({ text }) => text), ...(told === null ? [] : [told])];
  const found = events.map((event) => {
    if (event === null) return { text: 'none was measured', isText: false };
    const { index } = event.event;
    const line = facts.commandLine.texts.find((each) => each.index === index);
    const hashed = { texts: [], hashed: facts.commandLine.hashed.filter((each) => each.index === index), findings: [] };
    const text = line?.text ?? known.find((each) => matchCommandLine(hashed, each).matching > 0);
    return { text: text ?? `sha256:${digestOf(event)}`, isText: text !== undefined };
  });
  const isAnyText = found.some(({ isText }) => isText);
  return [...new Set((isAnyText ? found : found.slice(0, 1)).map(({ text }) => text))];
}
