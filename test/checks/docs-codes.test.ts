import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import {
  type Definitions,
  listDocuments,
  listLiterals,
  listSources,
  readDefinitions,
  readText,
  readUnion,
  type SourceFile,
} from './docs-source.ts';
import { compareSets, listCodes, readTable } from './docs-text.ts';

/** A closed set of codes: where it is declared, and the heading of its table in docs/protocol.md. */
interface CodeSet {
  readonly name: string;
  readonly file: string;
  /** Folder whose files raise the codes. */
  readonly raisedIn: string;
}

const CODE_SETS: readonly CodeSet[] = [
  { name: 'EvidenceErrorCode', file: 'evidence/src/evidence-error.ts', raisedIn: 'evidence/' },
  { name: 'AgentErrorCode', file: 'agent/src/agent-error.ts', raisedIn: 'agent/' },
  { name: 'VerifierErrorCode', file: 'verifier/src/verifier-error.ts', raisedIn: 'verifier/' },
  { name: 'TpmErrorCode', file: 'native/tpm2-tss-node/src/tpm-error.ts', raisedIn: 'native/tpm2-tss-node/' },
  { name: 'RootfsErrorCode', file: 'native/rootfs/src/rootfs-error.ts', raisedIn: 'native/rootfs/' },
  { name: 'SnapshotFileError', file: 'proto/src/snapshot-file.ts', raisedIn: 'proto/' },
  { name: 'KeyRefusal', file: 'verifier/src/trust/trust.ts', raisedIn: 'verifier/' },
  { name: 'ReferenceReason', file: 'verifier/src/references/reference.ts', raisedIn: 'verifier/' },
  { name: 'EarReason', file: 'verifier/src/ear/ear-refused.ts', raisedIn: 'verifier/' },
  { name: 'ExplainedReason', file: 'verifier/src/conformity/comparison.ts', raisedIn: 'verifier/' },
  { name: 'UndecidedComparison', file: 'verifier/src/conformity/comparison.ts', raisedIn: 'verifier/' },
  { name: 'DriftReason', file: 'agent/src/drift/drift-reason.ts', raisedIn: 'agent/src/drift/' },
];
const ERROR_CODE = /ERR_(?:EVIDENCE|AGENT|VERIFIER|TPM|ROOTFS|PROTO)(?:_[A-Z0-9]+)*\b(?!_)/;

/** Members of a set as its file declares them. */
function readMembers({ name, file }: CodeSet, sources: readonly SourceFile[]): string[] {
  const code = sources.find(({ path }) => path === file)?.code ?? '';
  if (name === 'SnapshotFileError') return listLiterals(/readonly code = '[^']+'/.exec(code)?.[0] ?? '');
  if (name !== 'UndecidedComparison') return readUnion(code, name);
  return listLiterals(/interface UndecidedComparison \{[\s\S]*?reason: ([^;]*);/.exec(code)?.[1] ?? '');
}

/** Sets against tables: one row for each member, and no other row. */
function findTableFaults(protocol: string, sources: readonly SourceFile[]): string[] {
  return CODE_SETS.flatMap((set) =>
    compareSets(set.name, listCodes(readTable(protocol, set.name)), readMembers(set, sources)),
  );
}

/** Members that no code outside their declaration gives to anybody: comparing with one is not raising it. */
function findDeadMembers(sources: readonly SourceFile[]): string[] {
  return CODE_SETS.flatMap((set) => {
    const code = sources
      .filter(({ path }) => path.startsWith(set.raisedIn))
      .map((source) => (source.path === set.file ? dropDeclaration(source.code, set.name) : source.code))
      .join('\n')
      .replaceAll(/new Set(?:<[^>]*>)?\(\[[\s\S]*?\]\)/g, '')
      .replaceAll(/(?:===|!==|\bcase)\s*'[^']*'/g, '');
    return readMembers(set, sources).filter((member) => !new RegExp(`(['"])${member}\\1`).test(code));
  });
}

function dropDeclaration(code: string, name: string): string {
  if (name === 'UndecidedComparison') return code.replace(/interface UndecidedComparison \{[\s\S]*?\}/, '');
  return code.replace(new RegExp(`export type ${name} =[^;]*;`), '');
}

/** Native code raises codes by an enumeration: each of its members must be used beyond the place that names the codes. */
function findDeadNativeCodes(sources: readonly SourceFile[]): string[] {
  const native = sources.filter(({ path }) => path.startsWith('native/rootfs/native/'));
  const names = native.find(({ path }) => path.endsWith('/convert.cc'))?.code ?? '';
  const rest = native.filter(({ path }) => !path.endsWith('/convert.cc')).map(({ code }) => code);
  const members = [...names.matchAll(/case (Code::k\w+):\s*return "(ERR_ROOTFS_\w+)"/g)];
  return members
    .filter(([, member = '']) => !rest.some((code) => code.includes(member)))
    .map(([, , code = '']) => code);
}

/** Codes in source or documents that no set declares. */
function findUnknownCodes(texts: readonly { path: string; code: string }[], known: ReadonlySet<string>): string[] {
  return texts.flatMap(({ path, code }) =>
    [...code.matchAll(new RegExp(ERROR_CODE, 'g'))].flatMap(([found]) =>
      known.has(found) ? [] : [`${path}: ${found} is in no union`],
    ),
  );
}

/** Rows of the findings against the rules of the appraisal. */
function findFindingFaults(protocol: string, findings: Definitions['findings']): string[] {
  const rows = readTable(protocol, 'FindingCode');
  const wrong = rows.flatMap(([code = '', severity, ceiling, meaning]) => {
    const rule = findings[code.replaceAll('`', '')];
    if (rule === undefined) return [];
    const isSame = rule.severity === severity && rule.ceiling === ceiling && rule.meaning === meaning;
    return isSame ? [] : [`FindingCode: the row of ${code} is not that of FINDING_RULES`];
  });
  return [...compareSets('FindingCode', listCodes(rows), Object.keys(findings)), ...wrong];
}

/** Findings that the verifier's code never makes. */
function findUnmadeFindings(findings: readonly string[], sources: readonly SourceFile[]): string[] {
  const code = sources.filter(({ path }) => path.startsWith('verifier/') && !path.endsWith('/finding-code.ts'));
  return findings.filter((finding) => !code.some((source) => source.code.includes(`'${finding}'`)));
}

/** The status column against the one place that decides it. */
function findStatusFaults(protocol: string, statusCode: string): string[] {
  const entries = [...statusCode.matchAll(/(ERR_VERIFIER_\w+): status\.(\w+)/g)];
  const statuses = new Map(entries.map(([, code = '', status = '']) => [code, status]));
  return readTable(protocol, 'VerifierErrorCode').flatMap(([cell = '', documented = '']) => {
    const actual = statuses.get(cell.replaceAll('`', ''));
    const isRight = documented === '-' ? actual === undefined : documented === (actual ?? 'INVALID_ARGUMENT');
    return isRight ? [] : [`${cell} has the status ${actual ?? 'INVALID_ARGUMENT'}, not ${documented}`];
  });
}

/** Limit names are an open set, so only that each documented one still exists is checked. */
function findStaleLimits(protocol: string, sources: readonly SourceFile[]): string[] {
  const code = sources.filter(({ path }) => path.startsWith('agent/src/')).map((source) => source.code);
  const native = sources.filter(({ path }) => path.startsWith('native/rootfs/')).map((source) => source.code);
  const all = [...code, ...native].join('\n');
  const names = ['Limit names', 'Why a container is unsupported'].flatMap((heading) =>
    listCodes(readTable(protocol, heading)),
  );
  return names.filter((name) => {
    const fixed = name.replace(/^<[^>]*>/, '').replace(/<[^>]*>$/, '');
    return !new RegExp(`['"\`}]${fixed.replaceAll(/[^\w]/g, '\\$&').replace(/\\:$/, '')}['"\`:$=]`).test(all);
  });
}

/** Settings tables against what the two parsers ask for. */
function findSettingFaults(protocol: string, sources: readonly SourceFile[]): string[] {
  const codeOf = (file: string) => sources.find(({ path }) => path === file)?.code ?? '';
  const agent = [
    ...codeOf('agent/src/config/parse-agent-config.ts').matchAll(
      /takeObject\([^,]+, '([a-z]+(?:\.[a-zA-Z]+)?)[^']*', \[([^\]]*)\]/g,
    ),
  ].flatMap(([, owner = '', list = '']) =>
    listLiterals(list).map((name) => (owner === 'the' ? name : `${owner}.${name}`)),
  );
  const verifierCode = codeOf('verifier/src/config/verifier-config.ts').split('fields.end()')[0] ?? '';
  const reads = verifierCode.matchAll(/fields\.(?:text|texts|address|integer|oneOf|object|list)\('(\w+)'/g);
  const verifier = [...new Set([...reads].map(([, name = '']) => name))];
  const ofVerifier = listCodes(readTable(protocol, 'serve.verifier')).filter((name) => !name.startsWith('tls.'));
  return [
    ...compareSets('serve.agent', listCodes(readTable(protocol, 'serve.agent')), agent),
    ...compareSets('serve.verifier', ofVerifier, verifier),
  ];
}

suite('the tables of docs/protocol.md are those of the source', () => {
  let protocol = '';
  let sources: SourceFile[] = [];
  let definitions: Definitions;
  before(() => {
    protocol = readText('docs/protocol.md');
    sources = listSources();
    definitions = readDefinitions();
  });
  const known = () => new Set(CODE_SETS.flatMap((set) => readMembers(set, sources)));
  const withoutRow = (heading: string, code: string) => {
    const at = protocol.indexOf(`# ${heading}\n`);
    return protocol.slice(0, at) + protocol.slice(at).replace(new RegExp(`^\\| \`${code}\` .*\n`, 'm'), '');
  };
  const withSource = (path: string, change: (code: string) => string) =>
    sources.map((source) => (source.path === path ? { path, code: change(source.code) } : source));

  test('each closed set has one row for each member and no other', () => {
    assert.deepEqual(findTableFaults(protocol, sources), []);
  });

  test('no set is empty', () => {
    for (const set of CODE_SETS) assert.ok(readMembers(set, sources).length > 0, set.name);
  });

  test('a row that is taken out is missed, in every set', () => {
    for (const set of CODE_SETS) {
      const [member = ''] = readMembers(set, sources);
      assert.ok(
        findTableFaults(withoutRow(set.name, member), sources).includes(`${set.name}: no row for ${member}`),
        set.name,
      );
    }
  });

  test('a row that is left over or stands twice is found', () => {
    const row = '| `ERR_EVIDENCE_KEY` | again |\n| `ERR_EVIDENCE_GONE` | a code of yesterday |\n';
    const faults = findTableFaults(protocol.replace('| `ERR_EVIDENCE_KEY`', `${row}| \`ERR_EVIDENCE_KEY\``), sources);
    assert.deepEqual(faults, [
      'EvidenceErrorCode: row of ERR_EVIDENCE_GONE is left over',
      'EvidenceErrorCode: two rows for ERR_EVIDENCE_KEY',
    ]);
  });

  test('every member is raised somewhere', () => {
    assert.deepEqual(findDeadMembers(sources), []);
    assert.deepEqual(findDeadNativeCodes(sources), []);
  });

  test('a member that nothing raises any more is found, comparisons notwithstanding', () => {
    const silent = withSource('agent/src/scan/worker-lane.ts', (code) =>
      code.replaceAll("'ERR_AGENT_SCAN'", "'ERR_AGENT_STATE'"),
    );
    const compared = [...silent, { path: 'agent/src/x.ts', code: "if (error.code === 'ERR_AGENT_SCAN') return;" }];
    assert.ok(findDeadMembers(compared).includes('ERR_AGENT_SCAN'));
    const unused = sources.map(({ path, code }) =>
      path.endsWith('/convert.cc') ? { path, code } : { path, code: code.replaceAll('Code::kEscape', '') },
    );
    assert.deepEqual(findDeadNativeCodes(unused), ['ERR_ROOTFS_ESCAPE']);
  });

  test('no source file and no document has a code that is in no union', () => {
    const quoted = sources.map(({ path, code }) => ({ path, code: [...code.matchAll(/(['"])ERR_\w+\1/g)].join('\n') }));
    const documents = listDocuments().map((path) => ({ path, code: readText(path) }));
    assert.deepEqual(findUnknownCodes([...quoted, ...documents], known()), []);
    const planted = { path: 'agent/src/x.ts', code: "throw new AgentError('ERR_AGENT_PLANTED', 'x')" };
    assert.deepEqual(findUnknownCodes([planted], known()), ['agent/src/x.ts: ERR_AGENT_PLANTED is in no union']);
  });

  test('the findings have the severity, ceiling and meaning of FINDING_RULES', () => {
    assert.deepEqual(findFindingFaults(protocol, definitions.findings), []);
  });

  test('a finding that is missing or says something else is found', () => {
    assert.deepEqual(findFindingFaults(withoutRow('FindingCode', 'CHAIN_FORK'), definitions.findings), [
      'FindingCode: no row for CHAIN_FORK',
    ]);
    const softened = protocol.replace('| `CHAIN_FORK` | contraindicated', '| `CHAIN_FORK` | warning');
    assert.deepEqual(findFindingFaults(softened, definitions.findings), [
      'FindingCode: the row of `CHAIN_FORK` is not that of FINDING_RULES',
    ]);
  });

  test('every finding is made somewhere', () => {
    assert.deepEqual(findUnmadeFindings(Object.keys(definitions.findings), sources), []);
    assert.deepEqual(findUnmadeFindings(['CHAIN_FORK', 'CHAIN_PLANTED'], sources), ['CHAIN_PLANTED']);
  });

  test('the gRPC status of each code is the one that is sent', () => {
    const status = readText('verifier/src/server/status.ts');
    assert.deepEqual(findStatusFaults(protocol, status), []);
    const moved = status.replace('ERR_VERIFIER_ROLE: status.PERMISSION_DENIED', 'ERR_VERIFIER_ROLE: status.INTERNAL');
    assert.deepEqual(findStatusFaults(protocol, moved), [
      '`ERR_VERIFIER_ROLE` has the status INTERNAL, not PERMISSION_DENIED',
    ]);
  });

  test('every limit name that is documented exists', () => {
    assert.deepEqual(findStaleLimits(protocol, sources), []);
    const planted = protocol.replace('| `proofPending` |', '| `proofForgotten` |');
    assert.deepEqual(findStaleLimits(planted, sources), ['proofForgotten']);
  });

  test('the settings are those that the processes take', () => {
    assert.deepEqual(findSettingFaults(protocol, sources), []);
    const [agent, verifier] = ['agent/src/config/parse-agent-config.ts', 'verifier/src/config/verifier-config.ts'];
    const more = withSource(agent, (code) => code.replace("'logLevel',", "'logLevel', 'planted',"));
    assert.deepEqual(findSettingFaults(protocol, more), ['serve.agent: no row for planted']);
    const fewer = withSource(verifier, (code) => code.replaceAll("'resultTtlMs'", "'staleAfterMs'"));
    assert.deepEqual(findSettingFaults(protocol, fewer), ['serve.verifier: row of resultTtlMs is left over']);
  });
});
