import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { BOOT_PREDICATE_TYPE, type BootReference, EvidenceError } from '@holdfast/evidence';
import { createStatement, signStatement, VerifierError } from '@holdfast/verifier';
import { type BootFiles, computeBootReference } from '../boot-files.ts';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import type { Command, Flags } from '../command.ts';
import { readInputFile } from '../input-file.ts';
import { writeOutputFile } from '../output-file.ts';
import { readSecureBootFiles } from '../secure-boot-files.ts';
import { fingerprintKey, readSigningKey } from '../signing-key.ts';
import { type Column, formatTable } from '../table.ts';
import type { Terminal } from '../terminal.ts';

const MAX_IMAGE_BYTES = 1 << 30;
const MAX_COMMAND_LINE_BYTES = 64 << 10;
const ANY = '*';

export const referenceBoot: Command = {
  name: 'reference boot',
  summary: 'compute what a boot must measure, from its files, before any machine boots them',
  positionals: '',
  arity: [0, 0],
  options: {
    uki: { type: 'string', value: 'FILE', help: 'unified kernel image with systemd-stub' },
    kernel: { type: 'string', value: 'FILE', help: 'instead: kernel with its EFI stub' },
    initrd: { type: 'string', value: 'FILE', multiple: true, help: 'with --kernel: initrd; several are joined' },
    cmdline: { type: 'string', value: 'TEXT|@FILE', help: 'with --kernel: its command line' },
    loader: { type: 'string', value: 'FILE', multiple: true, help: 'boot loader that is started before, in order' },
    'secure-boot-vars': {
      type: 'string',
      value: 'DIR|FILE',
      multiple: true,
      help: 'PK, KEK, db, dbx: signature lists or dumps of efivarfs; else PCR 7 is left out',
    },
    'secure-boot': { type: 'string', value: 'on|off', help: 'else on where there is a PK' },
    'kube-node': {
      type: 'string',
      value: 'NAME',
      multiple: true,
      help: 'kube nodes that boot so: a name, PREFIX/* or *, which is the default',
    },
    sign: { type: 'string', value: 'KEY', help: 'PEM of the private key that signs; else the statement is unsigned' },
    'key-id': { type: 'string', value: 'ID', help: 'key id of the envelope; else the SHA-256 of the public key' },
    out: { type: 'string', value: 'FILE', help: 'where the document goes; else to stdout' },
  },
  run: async ({ flags, terminal }) => {
    const files = await readBootFiles(flags);
    const reference = compute(files);
    const document = await makeDocument(flags, files, reference);
    const out = flags.text('out');
    if (out === undefined) {
      terminal.printJson(JSON.parse(document));
      terminal.print(document);
      return EXIT.good;
    }
    await writeOutputFile(out, `${document}\n`);
    report(terminal, out, flags, reference);
    return EXIT.good;
  },
};

async function readBootFiles(flags: Flags): Promise<BootFiles> {
  const [uki, kernel] = [flags.text('uki'), flags.text('kernel')];
  const path = uki ?? kernel;
  if (path === undefined || (uki !== undefined && kernel !== undefined)) {
    throw usageError('holdfast reference boot needs either --uki FILE or --kernel FILE');
  }
  const [commandLine, initrds] = [flags.text('cmdline'), flags.texts('initrd')];
  if (uki !== undefined && (commandLine !== undefined || initrds.length > 0)) {
    throw usageError('--cmdline and --initrd go with --kernel; a unified kernel image has its own');
  }
  return {
    image: await readNamed(path),
    isUki: uki !== undefined,
    commandLine: commandLine === undefined ? null : await readCommandLine(commandLine),
    initrds: await Promise.all(initrds.map(async (file) => (await readNamed(file)).content)),
    loaders: await Promise.all(flags.texts('loader').map(readNamed)),
    variables: await readVariables(flags),
  };
}

async function readVariables(flags: Flags): Promise<BootFiles['variables']> {
  const paths = flags.texts('secure-boot-vars');
  const state = flags.text('secure-boot');
  if (state !== undefined && state !== 'on' && state !== 'off') throw usageError('--secure-boot takes on or off');
  if (paths.length > 0) return await readSecureBootFiles(paths, state === undefined ? undefined : state === 'on');
  if (state === undefined) return null;
  throw usageError('--secure-boot needs --secure-boot-vars: without the variables nothing can be said of PCR 7');
}

async function readNamed(path: string): Promise<BootFiles['image']> {
  return { name: basename(path), content: await readInputFile(path, MAX_IMAGE_BYTES) };
}

/** A text, or `@` and a file; the line end that editors put is none of it. */
async function readCommandLine(value: string): Promise<string> {
  if (!value.startsWith('@')) return value;
  return (await readInputFile(value.slice(1), MAX_COMMAND_LINE_BYTES)).toString('utf8').replace(/\n$/, '');
}

function compute(files: BootFiles): BootReference {
  try {
    return computeBootReference(files);
  } catch (error) {
    if (error instanceof EvidenceError || error instanceof VerifierError) {
      throw undecided(`no reference can be made: ${error.message}`, error);
    }
    throw error;
  }
}

async function makeDocument(flags: Flags, { image }: BootFiles, predicate: BootReference): Promise<string> {
  const sha256 = createHash('sha256').update(image.content).digest('hex');
  const names = flags.texts('kube-node');
  const subjects = (names.length === 0 ? [ANY] : names).map((name) => ({ name, digest: { sha256 } }));
  const content = { subjects, predicateType: BOOT_PREDICATE_TYPE, predicate };
  const keyFile = flags.text('sign');
  if (keyFile !== undefined) {
    const key = await readSigningKey(keyFile);
    return signStatement({ ...content, key, keyId: flags.text('key-id') ?? fingerprintKey(key) });
  }
  if (flags.text('key-id') !== undefined) throw usageError('--key-id goes with --sign');
  return JSON.stringify(createStatement(content), null, 2);
}

interface Row {
  readonly pcr: string;
  readonly values: readonly string[];
}

const COLUMNS: Column<Row>[] = [
  { title: 'PCR', cell: ({ pcr }) => pcr },
  { title: 'SHA-256', cell: ({ values }) => values.join(' or ') || 'depends on what is made at boot' },
];

function report(terminal: Terminal, out: string, flags: Flags, reference: BootReference): void {
  const { pcrs, secureBoot, commandLine } = reference;
  const signed = flags.text('sign') !== undefined;
  terminal.printJson({ file: out, signed, secureBoot, commandLine, pcrs });
  const rows = Object.entries(pcrs).map(([pcr, values]) => ({ pcr, values }));
  terminal.print(formatTable(COLUMNS, rows, terminal));
  terminal.print(`${out}: boot reference${signed ? ', signed' : ', not signed: a verifier takes it only when it is'}`);
}
