import { createHash } from 'node:crypto';
import { EvidenceError, parseStrictJson } from '@holdfast/evidence';
import { AGENT_PREDICATE_TYPE, readAgentBuild, signStatement, VerifierError } from '@holdfast/verifier';
import { EXIT, undecided, usageError } from '../cli-error.ts';
import type { Command, Flags } from '../command.ts';
import { readInputFile } from '../input-file.ts';
import { writeOutputFile } from '../output-file.ts';
import { fingerprintKey, readSigningKey } from '../signing-key.ts';

const MAX_LIST_BYTES = 16 << 20;
const DEFAULT_NAME = 'holdfast-agent';

export const referenceAgent: Command = {
  name: 'reference agent',
  summary: "sign the list of a build's files, for agents whose files IMA measures",
  positionals: 'AGENT-FILES.json',
  arity: [1, 1],
  options: {
    sign: { type: 'string', value: 'KEY', help: 'PEM of the private key that signs' },
    out: { type: 'string', value: 'FILE', help: 'where the DSSE envelope goes' },
    name: { type: 'string', value: 'NAME', help: `signed subject name; else ${DEFAULT_NAME}` },
    'key-id': { type: 'string', value: 'ID', help: 'key id of the envelope; else the SHA-256 of the public key' },
  },
  run: async ({ flags, positionals, terminal }) => {
    const [path = ''] = positionals;
    const out = required(flags, 'out', 'FILE');
    const key = await readSigningKey(required(flags, 'sign', 'KEY'));
    const content = await readInputFile(path, MAX_LIST_BYTES);
    const { version, files } = readList(content, path);
    const name = flags.text('name') ?? DEFAULT_NAME;
    const envelope = signStatement({
      subjects: [{ name, digest: { sha256: createHash('sha256').update(content).digest('hex') } }],
      predicateType: AGENT_PREDICATE_TYPE,
      predicate: { version, files: Object.fromEntries(files) },
      key,
      keyId: flags.text('key-id') ?? fingerprintKey(key),
    });
    await writeOutputFile(out, `${envelope}\n`);
    terminal.printJson({ file: out, subject: name, version, files: files.size });
    terminal.print(`${out}: ${files.size} files of version ${version}, signed as ${name}`);
    return EXIT.good;
  },
};

function readList(content: Buffer, path: string): ReturnType<typeof readAgentBuild> {
  try {
    return readAgentBuild(parseStrictJson(content, { maxBytes: MAX_LIST_BYTES, maxDepth: 4, maxKeys: 100_000 }));
  } catch (error) {
    if (!(error instanceof EvidenceError || error instanceof VerifierError)) throw error;
    throw undecided(`${path} is no list of a build's files: ${error.message}`, error);
  }
}

function required(flags: Flags, name: string, value: string): string {
  const text = flags.text(name);
  if (text === undefined) throw usageError(`holdfast reference agent needs --${name} ${value}`);
  return text;
}
