import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import { parseUefiVariable } from '../event-log/event-body.ts';
import { parseEventLog } from '../event-log/parse-event-log.ts';
import { evidenceError } from '../testing/foreign-bytes.test.ts';
import { readVector } from '../testing/vectors.test.ts';
import { type BootReference, computePcrValues, type ExpectedEvent } from './boot-reference.ts';
import { type BootReferenceInput, createBootReference, type SecureBootVariables } from './create-boot-reference.ts';
import { parseBootReference } from './parse-boot-reference.ts';

const DRIVER_CONFIG = 0x80000001;
const AUTHORITY = 0x800000e0;
const APPLICATION = 0x80000003;
/** Authenticode digest of the kernel in both images, which firmware measured by itself in the boot without Secure Boot. */
const INNER = Buffer.from('5f21ff2c0d5d899842b28a8b19901ba72cf7a7ab93c02a77fadc6ff72be85b31', 'hex');

/** What an administrator of that machine has: variables and command line; digests of images stand in the log alone. */
function readMachine(name: string): { input: BootReferenceInput; readonly pcr: (index: number) => string | undefined } {
  const folder = `measured-boot/${name}`;
  const { events } = parseEventLog(readVector(`${folder}/binary_bios_measurements`));
  const select = (type: number) => events.filter(({ typeId }) => typeId === type);
  const contents = new Map(
    select(DRIVER_CONFIG)
      .map(({ data }) => parseUefiVariable(data))
      .map((each) => [each.name, each.data]),
  );
  const get = (variable: string) => contents.get(variable) ?? assert.fail();
  const [authority] = select(AUTHORITY).map(({ data }) => parseUefiVariable(data).data);
  const digest = select(APPLICATION)[0]?.digests.get('sha256') ?? assert.fail();
  const isEnabled = get('SecureBoot').equals(Buffer.of(1));
  const variables = { isEnabled, pk: get('PK'), kek: get('KEK'), db: get('db'), dbx: get('dbx') };
  const text = readVector(`${folder}/pcrs.txt`).toString();
  return {
    input: {
      images: [{ name: 'uki.efi', digest, authority: authority ?? null }],
      innerImage: { name: '.linux', digest: INNER, authority: null },
      sections: [],
      commandLine: readVector(`${folder}/cmdline`).toString().trim(),
      isCommandLineOfLoader: false,
      initrd: null,
      variables,
    },
    pcr: (index) =>
      new RegExp(`^ +${index} *: 0x([0-9A-F]{64})$`, 'm').exec(text.split('sha256:')[1] ?? '')?.[1]?.toLowerCase(),
  };
}

const secure = readMachine('secureboot-snakeoil');
const plain = readMachine('plain-uki');
const make = (changes: Partial<BootReferenceInput> = {}) => createBootReference({ ...secure.input, ...changes });
const names = ({ events }: BootReference, pcr: number) =>
  events.filter((event) => event.pcr === pcr).map(({ kind, name }) => `${kind} ${name}`);

suite('boot references from files', () => {
  test('foretell PCRs that a TPM then had, with Secure Boot and without', () => {
    for (const { input, pcr } of [secure, plain]) {
      const { pcrs, secureBoot, commandLine } = createBootReference(input);
      assert.equal(secureBoot, input.variables?.isEnabled);
      assert.equal(commandLine, input.commandLine);
      for (const index of [4, 7, 9, 12, 13]) assert.ok(pcrs[index]?.includes(pcr(index) ?? 'none'), `PCR ${index}`);
    }
    // The stub starts the kernel past the firmware under Secure Boot, by the firmware else.
    assert.equal(createBootReference(plain.input).pcrs['4']?.[0], plain.pcr(4));
    assert.equal(createBootReference(secure.input).pcrs['4']?.[1], secure.pcr(4));
  });

  test('name the sections of a unified image and their content, each after its name', () => {
    const sections = [
      { name: '.linux', content: Buffer.from('kernel') },
      { name: '.cmdline', content: Buffer.from('quiet') },
    ];
    const reference = make({ sections });
    assert.deepEqual(names(reference, 11), [
      'sectionName .linux',
      'section .linux',
      'sectionName .cmdline',
      'section .cmdline',
    ]);
    const digests = reference.events.filter(({ pcr }) => pcr === 11).map(({ digest }) => digest);
    assert.deepEqual(
      digests,
      ['.linux\0', 'kernel', '.cmdline\0', 'quiet'].map((text) => hash('sha256', text)),
    );
  });

  test('measure command line and initrd as the kernel does, and as systemd-boot does before', () => {
    const reference = make({ initrd: Buffer.from('cpio'), commandLine: 'quiet', isCommandLineOfLoader: true });
    assert.deepEqual(names(reference, 9), ['loadOptions command line', 'initrd initrd']);
    assert.deepEqual(names(reference, 12), ['loadOptions command line']);
    const [line, initrd] = reference.events.filter(({ pcr }) => pcr === 9);
    assert.deepEqual(
      [line?.digest, initrd?.digest],
      [hash('sha256', Buffer.from('quiet\0', 'utf16le')), hash('sha256', 'cpio')],
    );
    assert.deepEqual(names(make({ commandLine: null }), 9), []);
    const composed = make({ initrd: 'composed' });
    assert.deepEqual(composed.pcrs['9'], []);
    assert.equal(composed.events.at(-1)?.digest, null);
  });

  test('leave PCR 7 out without variables, and authorities where Secure Boot is off', () => {
    const without = make({ variables: null });
    assert.deepEqual([without.secureBoot, without.pcrs['7'], names(without, 7)], [null, undefined, []]);
    assert.ok(!names(createBootReference(plain.input), 7).some((name) => name.startsWith('authority')));
  });

  test('name each authority once, and dbt and dbr where they are', () => {
    const [image] = secure.input.images;
    assert.ok(image && secure.input.variables);
    const twice = make({ images: [image, { ...image, digest: Buffer.alloc(32, 9) }] });
    assert.equal(names(twice, 7).filter((name) => name === 'authority db').length, 1);
    assert.equal(names(twice, 4).length, 5);
    const variables: SecureBootVariables = { ...secure.input.variables, dbt: Buffer.from('t'), dbr: Buffer.alloc(0) };
    assert.deepEqual(names(make({ variables }), 7).slice(4, 7), [
      'variable dbx',
      'variable dbt',
      'separator separator',
    ]);
  });

  test('are refused for an image that Secure Boot would not start', () => {
    const unsigned = { name: 'x.efi', digest: Buffer.alloc(32), authority: null };
    assert.throws(() => make({ images: [unsigned] }), evidenceError('ERR_EVIDENCE_MALFORMED'));
  });
});

suite('a predicate of a boot reference', () => {
  const good: BootReference = JSON.parse(JSON.stringify(make({ initrd: 'composed' })));

  test('is read as it was made', () => {
    assert.deepEqual(parseBootReference(good), good);
  });

  test('is refused with anything changed in it', () => {
    const [first, ...rest] = good.events;
    assert.ok(first);
    const wrong: unknown[] = [
      null,
      [],
      'x',
      {},
      { ...good, version: 2 },
      { ...good, more: 1 },
      { ...good, events: [] },
      ...Object.keys(good).map((name) => Object.fromEntries(Object.entries(good).filter(([key]) => key !== name))),
      { ...good, commandLine: `${good.commandLine} init=/bin/sh` },
      { ...good, commandLine: null },
      { ...good, events: rest },
      { ...good, events: [...rest, first] },
      { ...good, events: [{ ...first, digest: null }, ...rest] },
      { ...good, events: [{ ...first, optional: true }, ...rest] },
      { ...good, events: [{ ...first, kind: 'unknown' }, ...rest] },
      { ...good, events: [{ ...first, pcr: 5 }, ...rest] },
      { ...good, pcrs: { ...good.pcrs, 14: ['0'.repeat(64)], 16: [] } },
      { ...good, pcrs: { ...good.pcrs, 7: ['0'.repeat(64)] } },
    ];
    for (const predicate of wrong)
      assert.throws(() => parseBootReference(predicate), evidenceError('ERR_EVIDENCE_CLAIMS'));
  });

  test('has no values where too much is optional', () => {
    const event: ExpectedEvent = { pcr: 4, kind: 'image', name: 'x', digest: '00'.repeat(32), optional: true };
    assert.equal(computePcrValues([event, event, event, event], 4).length, 16);
    assert.deepEqual(computePcrValues([event, event, event, event, event], 4), []);
  });
});
