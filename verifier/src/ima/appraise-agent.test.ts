import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { AgentFilesClaims, ImaClaims } from '@holdfast/evidence';
import { createEvidence } from '../appraisal/evidence.test-support.ts';
import { type AgentBuild, readAgentBuild } from '../references/agent-files.ts';
import { concludeAgent } from './agent-conclusion.ts';
import { appraiseAgent } from './appraise-agent.ts';
import type { ImaConclusion } from './ima-conclusion.ts';

const hex = (digit: string) => digit.repeat(64);
const ROOT = '/opt/holdfast';
const files = {
  'bin/node': hex('1'),
  'cli/src/main.js': hex('2'),
  'native/tpm.node': hex('3'),
  'agent/a b.js': hex('4'),
};
const claims: AgentFilesClaims = {
  root: ROOT,
  executable: { path: `${ROOT}/bin/node`, sha256: hex('1') },
  main: { path: `${ROOT}/cli/src/main.js`, sha256: hex('2') },
  modules: [{ path: `${ROOT}/native/tpm.node`, sha256: hex('3') }],
};
const all = Object.entries(files).map(([path, sha256]) => `${sha256} ${ROOT}/${path.replaceAll(' ', '_')}`);
const build = readAgentBuild({ version: '0.1.0', files });
const holds: ImaConclusion = {
  outcome: 'matched',
  entries: 9,
  extended: 9,
  violations: 0,
  aggregate: true,
  isRestarted: false,
};
const ima = (agent: AgentFilesClaims | null) => {
  const value: ImaClaims = { type: 'ima', active: true, template: 'ima-ng', policy: null, agent };
  return { state: 'ok' as const, value };
};

interface Case {
  readonly claims?: AgentFilesClaims;
  readonly measured?: readonly string[];
  readonly builds?: readonly AgentBuild[];
  readonly version?: string;
}

function appraiseCase({ claims: own = claims, measured = all, builds = [build], version = '0.1.0' }: Case = {}) {
  const agent = concludeAgent({ claims: own, version, measured: { agentFiles: new Set(measured) }, builds });
  const imaFiles = { agent, measuredCode: new Set<string>(), isLimited: false };
  return appraiseAgent(createEvidence({}, { ima: ima(own), imaLog: holds, imaFiles }));
}

const codesOf = (each: Case) => appraiseCase(each).map(({ code, path }) => [code, path]);

suite("the appraisal of an agent's own files", () => {
  test('finds nothing wrong with a build that was signed and measured', () => {
    assert.deepEqual(appraiseCase(), []);
  });

  test('names each file that was not measured as it is claimed', () => {
    assert.deepEqual(codesOf({ measured: [] }), [
      ['AGENT_UNMEASURED', `${ROOT}/bin/node`],
      ['AGENT_UNMEASURED', `${ROOT}/cli/src/main.js`],
      ['AGENT_UNMEASURED', `${ROOT}/native/tpm.node`],
    ]);
    const other = [`${hex('9')} ${ROOT}/bin/node`, ...all.slice(1)];
    assert.deepEqual(codesOf({ measured: other, builds: [] }), [
      ['AGENT_UNMEASURED', `${ROOT}/bin/node`],
      ['AGENT_NOT_REFERENCED', undefined],
    ]);
  });

  test('convicts a file of another content than was signed, though it was measured', () => {
    const executable = { path: `${ROOT}/bin/node`, sha256: hex('9') };
    const findings = appraiseCase({
      claims: { ...claims, executable },
      measured: [...all, `${hex('9')} ${ROOT}/bin/node`],
    });
    assert.deepEqual(findings, [
      {
        code: 'AGENT_UNKNOWN',
        severity: 'contraindicated',
        message: 'The agent runs a file that no signed list of its version has.',
        path: `${ROOT}/bin/node`,
        expected: 'a signed list of the files of version 0.1.0',
        actual: hex('9'),
      },
    ]);
  });

  test('convicts a program that lies elsewhere, and a script that the build does not have', () => {
    const elsewhere = { ...claims, executable: { path: '/usr/bin/node', sha256: hex('1') } };
    assert.ok(
      codesOf({ claims: elsewhere }).some(([code, path]) => code === 'AGENT_UNKNOWN' && path === '/usr/bin/node'),
    );
    const main = { path: `${ROOT}/evil.js`, sha256: hex('2') };
    const evil = codesOf({ claims: { ...claims, main }, measured: [...all, `${hex('2')} ${ROOT}/evil.js`] });
    assert.deepEqual(evil, [['AGENT_UNKNOWN', `${ROOT}/evil.js`]]);
  });

  test('wants a list of the version that the agent says it has', () => {
    assert.deepEqual(
      codesOf({ version: '0.2.0' }).map(([code]) => code),
      ['AGENT_UNKNOWN', 'AGENT_UNKNOWN', 'AGENT_UNKNOWN'],
    );
  });

  test('names other files that were measured in its directory, unless a signed list of any version has them', () => {
    const swapped = [...all, `${hex('8')} ${ROOT}/agent/x.js`, `${hex('9')} ${ROOT}/cli/src/main.js`];
    const [finding, ...rest] = appraiseCase({ measured: swapped });
    assert.deepEqual(rest, []);
    assert.deepEqual(
      [finding?.code, finding?.path, finding?.actual],
      ['AGENT_FILE_FOREIGN', `${ROOT}/agent/x.js`, `${hex('8')} and 1 more`],
    );
    const older = {
      version: '0.0.9',
      files: new Map([
        ['agent/x.js', hex('8')],
        ['cli/src/main.js', hex('9')],
      ]),
    };
    assert.deepEqual(appraiseCase({ measured: swapped, builds: [build, older] }), []);
    assert.deepEqual(
      codesOf({ measured: swapped, builds: [] }).map(([code]) => code),
      ['AGENT_NOT_REFERENCED'],
    );
  });

  test('writes paths of the list so that no byte of them reaches a screen', () => {
    const [finding] = appraiseCase({ measured: [...all, `${hex('8')} ${ROOT}/\x1b[31m\xff`] });
    assert.equal(finding?.path, `${ROOT}/%1B[31m%FF`);
  });

  test('says so where the agent does not tell what it runs, and where the list was cut', () => {
    const imaFiles = { agent: null, measuredCode: new Set<string>(), isLimited: true };
    const findings = appraiseAgent(createEvidence({}, { ima: ima(null), imaLog: holds, imaFiles }));
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['IMA_FILES_LIMITED', 'AGENT_UNMEASURED'],
    );
  });

  test('says nothing where no list holds: other findings do', () => {
    const agent = concludeAgent({ claims, version: '0.1.0', measured: { agentFiles: new Set() }, builds: [build] });
    const imaFiles = { agent, measuredCode: new Set<string>(), isLimited: true };
    for (const imaLog of [null, { ...holds, outcome: 'mismatch' as const }, { ...holds, aggregate: false }]) {
      assert.deepEqual(appraiseAgent(createEvidence({}, { ima: ima(claims), imaLog, imaFiles })), []);
    }
    assert.deepEqual(appraiseAgent(createEvidence({}, { ima: ima(claims), imaLog: holds })), []);
  });
});
