import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { suite, test } from 'node:test';
import { type CommandLineFacts, matchCommandLine } from './kernel-command-line.ts';

const LINE = 'root=/dev/sda1 ro quiet';
const none: CommandLineFacts = { texts: [], hashed: [], findings: [] };
const hashed = (source: 'efiStub' | 'ukiSection', bytes: Buffer): CommandLineFacts => {
  const digests = new Map([['sha256', hash('sha256', bytes, 'buffer')]]);
  return { ...none, hashed: [{ source, pcr: 11, index: 1, digests }] };
};
const text = (source: 'grub' | 'systemdBoot', value: string): CommandLineFacts => {
  return { ...none, texts: [{ source, pcr: 12, index: 1, text: value }] };
};
const SAME = { measured: 1, matching: 1 };
const OTHER = { measured: 1, matching: 0 };

/** Of a size for which a search that begins again at each blank would take hours. */
const BLANKS = ' \0'.repeat(2 * 1024 * 1024);

suite('the command line that the kernel tells, against the one that was measured', () => {
  test("is GRUB's with the name of the kernel in front, with and without a device", () => {
    for (const kernel of ['/boot/vmlinuz-6.1.0', '(hd0,gpt2)/vmlinuz-6.1.0']) {
      const facts = text('grub', `${kernel} ${LINE}`);
      assert.deepEqual(matchCommandLine(facts, `BOOT_IMAGE=${kernel} ${LINE}`), SAME);
      assert.deepEqual(matchCommandLine(facts, `BOOT_IMAGE=/other ${LINE}`), OTHER);
      assert.deepEqual(matchCommandLine(facts, `BOOT_IMAGE=${kernel} ${LINE} init=/bin/sh`), OTHER);
    }
  });

  test('is that of an entry of systemd-boot, its initrd among it', () => {
    const facts = text('systemdBoot', `initrd=\\initrd.img ${LINE}`);
    assert.deepEqual(matchCommandLine(facts, `initrd=\\initrd.img ${LINE}`), SAME);
    assert.deepEqual(matchCommandLine(facts, LINE), OTHER);
    assert.deepEqual(matchCommandLine(facts, `BOOT_IMAGE=initrd=\\initrd.img ${LINE}`), OTHER);
  });

  for (const end of ['', '\n', '\0', '\n\0', ' ', ' \n']) {
    test(`is that of a UKI whose section ends with ${JSON.stringify(end)}`, () => {
      const facts = hashed('ukiSection', Buffer.from(`${LINE}${end}`));
      assert.deepEqual(matchCommandLine(facts, LINE), SAME);
      assert.deepEqual(matchCommandLine(facts, `${LINE}\n`), SAME);
      assert.deepEqual(matchCommandLine(facts, `${LINE} debug`), OTHER);
    });
  }

  test("is that of the EFI stub's load options, closed by a zero or not", () => {
    for (const end of ['\0', '', ' \0']) {
      const facts = hashed('efiStub', Buffer.from(`${LINE}${end}`, 'utf16le'));
      assert.deepEqual(matchCommandLine(facts, LINE), SAME);
      assert.deepEqual(matchCommandLine(facts, LINE.toUpperCase()), OTHER);
    }
    assert.deepEqual(matchCommandLine(hashed('efiStub', Buffer.from(LINE)), LINE), OTHER);
  });

  test('is not proven by nothing, nor by a digest of another bank', () => {
    assert.deepEqual(matchCommandLine(none, LINE), { measured: 0, matching: 0 });
    const digests = new Map([['sha1', hash('sha1', LINE, 'buffer')]]);
    const sha1 = { ...none, hashed: [{ source: 'ukiSection' as const, pcr: 11, index: 1, digests }] };
    assert.deepEqual(matchCommandLine(sha1, LINE), OTHER);
  });

  test('differs by blanks inside it', () => {
    assert.deepEqual(matchCommandLine(text('systemdBoot', 'a b'), 'a  b'), OTHER);
    assert.deepEqual(matchCommandLine(text('systemdBoot', ' a b'), 'a b'), OTHER);
    assert.deepEqual(matchCommandLine(text('systemdBoot', 'a b \n'), 'a b'), SAME);
  });

  test('is compared whatever runs of blanks stand in it', () => {
    assert.deepEqual(matchCommandLine(text('systemdBoot', `a${BLANKS}b${BLANKS}`), `a${BLANKS}b\u3000\n`), SAME);
    assert.deepEqual(matchCommandLine(text('systemdBoot', `a${BLANKS}b`), `${LINE}${BLANKS}`), OTHER);
  });
});
