import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { BootFacts, BootReference, ExpectedEvent } from '@holdfast/evidence';
import { appraiseBootReferences } from './appraise-boot-reference.ts';
import { readBootLog } from './boot-log.ts';
import { digestOf, type MeasuredEvent } from './compare-boot.ts';

const vectors = join(import.meta.dirname, '../../../test/vectors/measured-boot/secureboot-snakeoil');
const { facts } = readBootLog(readFileSync(join(vectors, 'binary_bios_measurements')));
const COMMAND_LINE = readFileSync(join(vectors, 'cmdline'), 'utf8').trim();

type Kind = ExpectedEvent['kind'];
const KINDS: Record<number, readonly (readonly [Kind, string])[]> = {
  4: [
    ['action', 'attempt'],
    ['separator', 'separator'],
    ['image', 'uki.efi'],
  ],
  7: [
    ...['SecureBoot', 'PK', 'KEK', 'db', 'dbx'].map((name) => ['variable', name] as const),
    ['separator', 'separator'],
    ['authority', 'db'],
  ],
  9: [['loadOptions', 'command line']],
  11: ['.linux', '.osrel', '.cmdline'].flatMap((name) => [['sectionName', name] as const, ['section', name] as const]),
};

/** The reference of the boot in the vector: nobody else has its image, but every digest stands in the log. */
function makeReference(): BootReference {
  const events = Object.entries(KINDS).flatMap(([key, kinds]) => {
    const own = facts.events.filter(({ event }) => event.pcr === Number(key));
    assert.equal(own.length, kinds.length);
    return own.map((event, place): ExpectedEvent => {
      const [kind, name] = kinds[place] ?? assert.fail();
      return { pcr: Number(key), kind, name, digest: digestOf(event) };
    });
  });
  const pcrs = { 4: [], 7: [], 9: [], 11: [], 12: [], 13: [] };
  return { version: 1, commandLine: COMMAND_LINE, secureBoot: true, pcrs, events };
}

const REFERENCE = makeReference();

function changeEvents(change: (events: readonly ExpectedEvent[]) => ExpectedEvent[]): BootReference {
  return { ...REFERENCE, events: change(REFERENCE.events) };
}

/** The reference with another digest of one event, as if another file had been measured. */
function replaceEvent(pcr: number, name: string, kind: Kind, digest = 'ab'.repeat(32)): BootReference {
  return changeEvents((events) =>
    events.map((event) =>
      event.pcr === pcr && event.name === name && event.kind === kind ? { ...event, digest } : event,
    ),
  );
}

function run(references: readonly BootReference[], measured: BootFacts = facts, told: string | null = COMMAND_LINE) {
  const applicable = references.map((reference) => ({ digest: 'sha256:0', keyId: 'k', reference }));
  return appraiseBootReferences(measured, { applicable, isRequired: false }, told);
}

const findEvent = (pcr: number, place: number): MeasuredEvent =>
  facts.events.filter(({ event }) => event.pcr === pcr)[place] ?? assert.fail();

/** The measured boot with one more event, behind all others. */
function addEvent(pcr: number, digest: string, from = findEvent(11, 1)): BootFacts {
  const event = { ...from.event, pcr, index: 99, digests: new Map([['sha256', Buffer.from(digest, 'hex')]]) };
  return { ...facts, events: [...facts.events, { ...from, event, dataVerified: false, form: undefined }] };
}

suite('a boot against signed references', () => {
  test('is what one of them says, whatever the others do', () => {
    assert.deepEqual(run([REFERENCE]), []);
    assert.deepEqual(run([replaceEvent(4, 'uki.efi', 'image'), REFERENCE]), []);
  });

  test('is not compared where there is none, and questionable where the policy wants one', () => {
    assert.deepEqual(
      run([]).map(({ code }) => code),
      ['BOOT_NOT_REFERENCED'],
    );
    const [required] = appraiseBootReferences(facts, { applicable: [], isRequired: true }, null);
    assert.deepEqual([required?.code, required?.severity], ['BOOT_REFERENCE_MISSING', 'warning']);
  });

  test('with another command line names both texts, once', () => {
    const changed = replaceEvent(9, 'command line', 'loadOptions');
    const both = {
      ...changed,
      commandLine: 'quiet',
      events: changed.events.map((event) =>
        event.name === '.cmdline' && event.kind === 'section' ? { ...event, digest: 'cd'.repeat(32) } : event,
      ),
    };
    const findings = run([both]);
    assert.deepEqual(
      findings.map(({ code, expected, actual }) => [code, expected, actual]),
      [['BOOT_CMDLINE_UNEXPECTED', 'quiet', COMMAND_LINE]],
    );
    const lied = run([both], facts, 'what root says');
    assert.equal(lied.length, 1);
    assert.match(lied[0]?.actual ?? '', /^sha256:[0-9a-f]{64}$/);
  });

  test('names what is another: image, initrd, section, variable, authority', () => {
    const cases: [BootReference, string, RegExp, RegExp][] = [
      [
        replaceEvent(4, 'uki.efi', 'image'),
        'BOOT_IMAGE_UNEXPECTED',
        /uki\.efi sha256:abab/,
        /^uki\.efi sha256:f1af380b/,
      ],
      [
        replaceEvent(11, '.osrel', 'section'),
        'BOOT_SECTION_UNEXPECTED',
        /^\.osrel sha256:abab/,
        /^\.osrel sha256:d7b3f20f/,
      ],
      [
        replaceEvent(7, 'dbx', 'variable'),
        'SECURE_BOOT_VARIABLES_UNEXPECTED',
        /^dbx sha256:abab/,
        /^dbx sha256:1963d580/,
      ],
      [
        replaceEvent(7, 'db', 'authority'),
        'SECURE_BOOT_VARIABLES_UNEXPECTED',
        /^authority db/,
        /^authority db sha256:3e45733d/,
      ],
      [
        replaceEvent(7, 'SecureBoot', 'variable'),
        'SECURE_BOOT_VARIABLES_UNEXPECTED',
        /^SecureBoot off$/,
        /^SecureBoot on$/,
      ],
    ];
    for (const [reference, code, expected, actual] of cases) {
      const [finding, ...more] = run([reference]);
      assert.equal(finding?.code, code);
      assert.equal(finding.severity, 'contraindicated');
      assert.match(finding.expected ?? '', expected);
      assert.match(finding.actual ?? '', actual);
      assert.deepEqual(more, []);
    }
  });

  test('names what is missing and what is too much', () => {
    const initrd: ExpectedEvent = { pcr: 9, kind: 'initrd', name: 'initrd', digest: 'ef'.repeat(32) };
    const [missing] = run([changeEvents((events) => [...events, initrd])]);
    assert.deepEqual([missing?.code, missing?.actual], ['BOOT_INITRD_UNEXPECTED', 'nothing']);
    for (const [pcr, code] of [
      [4, 'BOOT_IMAGE_UNEXPECTED'],
      [7, 'SECURE_BOOT_VARIABLES_UNEXPECTED'],
      [9, 'BOOT_EVENT_UNEXPECTED'],
      [11, 'BOOT_SECTION_UNEXPECTED'],
      [12, 'BOOT_EVENT_UNEXPECTED'],
      [13, 'BOOT_EVENT_UNEXPECTED'],
    ] as const) {
      const [added, ...more] = run([REFERENCE], addEvent(pcr, 'cc'.repeat(32)));
      assert.deepEqual([added?.code, added?.expected, more.length], [code, 'nothing', 0]);
      assert.match(added?.actual ?? '', /sha256:cccc/);
    }
    assert.deepEqual(run([REFERENCE], addEvent(5, 'cc'.repeat(32))), []);
  });

  test('may leave out what is optional, and hold an initrd that nobody could foretell', () => {
    const inner: ExpectedEvent = { pcr: 4, kind: 'image', name: '.linux', digest: 'cc'.repeat(32), optional: true };
    const withInner = changeEvents((events) => [...events, inner]);
    assert.deepEqual(run([withInner]), []);
    assert.deepEqual(run([withInner], addEvent(4, 'cc'.repeat(32))), []);
    assert.equal(run([withInner], addEvent(4, 'dd'.repeat(32))).length, 1);
    const initrd: ExpectedEvent = { pcr: 9, kind: 'initrd', name: 'initrd', digest: null };
    const composed = changeEvents((events) => [...events, initrd]);
    assert.deepEqual(run([composed], addEvent(9, 'dd'.repeat(32))), []);
    assert.equal(run([composed]).length, 1);
  });

  test('may come after boot options that failed, which start nothing', () => {
    const attempts = ['Calling EFI Application from Boot Option', 'Returning from EFI Application from Boot Option'];
    for (const text of attempts) assert.deepEqual(run([REFERENCE], addEvent(4, hash('sha256', text))), []);
    assert.equal(run([REFERENCE], addEvent(9, hash('sha256', attempts[0] ?? ''))).length, 1);
  });

  test('is another where something hides behind very many events', () => {
    const many = (pcr: number, text: string) => {
      const extra = Array.from(
        { length: 2000 },
        () => addEvent(pcr, hash('sha256', text)).events.at(-1) ?? assert.fail(),
      );
      const last = addEvent(pcr, 'cc'.repeat(32)).events.at(-1) ?? assert.fail();
      return run([REFERENCE], { ...facts, events: [...facts.events, ...extra, last] });
    };
    const [hidden, ...others] = many(4, 'Returning from EFI Application from Boot Option');
    assert.match(hidden?.actual ?? '', /cccc/);
    assert.deepEqual(others, []);
    assert.equal(many(12, 'x').length, 1);
  });

  test('of another order is another boot', () => {
    const swapped = changeEvents((events) => events.toReversed());
    assert.notEqual(run([swapped]).length, 0);
  });

  test('is told against the reference that comes closest', () => {
    const far = changeEvents((events) => events.map((event) => ({ ...event, digest: 'ab'.repeat(32) })));
    const near = replaceEvent(11, '.osrel', 'section');
    assert.deepEqual(
      run([far, near]).map(({ code }) => code),
      ['BOOT_SECTION_UNEXPECTED'],
    );
  });

  test('counts by digest alone: renaming an event changes nothing, and no data is believed', () => {
    const renamed = facts.events.map((each) =>
      each.event.pcr === 4
        ? { ...each, event: { ...each.event, typeId: 2, type: 'EV_UNUSED', data: Buffer.alloc(0) } }
        : each,
    );
    assert.deepEqual(run([REFERENCE], { ...facts, events: renamed }), []);
    assert.equal(run([replaceEvent(4, 'uki.efi', 'image')], { ...facts, events: renamed }).length, 1);
  });
});
