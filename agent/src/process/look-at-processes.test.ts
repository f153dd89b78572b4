import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LocatedCode } from './code-locator.ts';
import { type LookDeps, lookAtProcesses } from './look-at-processes.ts';
import { makeDevice } from './make-device.ts';
import type { HeldFile, ProcessFiles } from './process-files.ts';

interface FakeProcess {
  readonly program?: string;
  readonly parent?: number;
  readonly terminal?: number;
  readonly maps?: readonly string[];
  readonly environment?: string;
  readonly namespace?: string;
  readonly rootInode?: bigint;
  readonly mounts?: readonly string[];
  /** Of its /proc/PID/stat. */
  readonly state?: string;
  readonly flags?: number;
  /** Its first thread ended: only these show something. */
  readonly threads?: readonly number[];
  /** Another process of which this is a thread, which no list of processes has. */
  readonly threadOf?: number;
}

const ROOT = '1 0 0:73 / / rw - overlay overlay rw';
const REQUEST = {
  kind: 'look' as const,
  hostRoot: '/',
  pid: 10,
  isCreated: false,
  cgroupsPath: null,
  pids: [],
  device: '0:73',
  lowers: ['/l'],
  upper: '/u',
  executed: [],
  budgetMs: 1_000,
};
/** What every program maps. */
const STACK = '7-8 rw-p 00000000 00:00 0  [stack]';
const text = (bytes: string) => ({ bytes: Buffer.from(bytes, 'latin1'), isCut: false });
const region = (access: string, path: string, device = '00:49') =>
  `1-${path.length + 2} ${access} 00000000 ${device} 7  ${path}`;

function createFiles(processes: Record<number, FakeProcess>): ProcessFiles {
  const hold = (path: string): HeldFile => ({
    path,
    mountId: 1,
    hasName: () => true,
    identify: () => undefined,
    hash: () => 'h',
    close: () => undefined,
  });
  /** What the kernel shows of any thread, and what of one that holds a program only. */
  const tell = <T>(pid: number, read: (process: FakeProcess) => T): T | undefined => {
    const process = processes[pid];
    return process === undefined ? undefined : read(process);
  };
  const ask = <T>(pid: number, read: (process: FakeProcess) => T): T | undefined =>
    tell(pid, (process) => (process.threads === undefined ? read(process) : undefined));
  return {
    readStat: (pid) =>
      tell(pid, ({ parent = 5, terminal = 0, state = 'S', flags = 0 }) =>
        [pid, '(x)', state, parent, 1, 1, terminal, 0, flags, ...Array(12).fill(0), 99, 0].join(' '),
      ),
    listThreads: (pid) => tell(pid, ({ threads = [] }) => [pid, ...threads]),
    readMaps: (pid) => ask(pid, ({ maps = [] }) => text([STACK, ...maps].join('\n'))),
    readEnvironment: (pid) => ask(pid, ({ environment = '' }) => text(environment)),
    readCommand: (pid) => ask(pid, () => 'x\0'),
    readMountinfo: (pid) => ask(pid, ({ mounts = [] }) => Buffer.from(`${[ROOT, ...mounts].join('\n')}\n`)),
    readMountNamespace: (pid) => ask(pid, ({ namespace = 'mnt:[1]' }) => namespace),
    readPidNamespace: (pid) => `pid:[${pid}]`,
    readInnerPid: () => 1,
    statRoot: (pid) => ask(pid, ({ rootInode = 1n }) => ({ dev: makeDevice(0, 73), ino: rootInode })),
    readProgram: (pid) => ask(pid, ({ program = '/bin/app' }) => program),
    hold: (pid, what) =>
      ask(pid, ({ program = '/bin/app', maps = [] }) => {
        if (what === 'program') return hold(program);
        return hold(
          maps
            .find((line) => line.startsWith(`${what.range} `))
            ?.split('  ')
            .at(-1) ?? '',
        );
      }),
  };
}

function look(
  processes: Record<number, FakeProcess>,
  request: Partial<LookDeps['request']> = {},
  isRuntime = false,
  files = createFiles(processes),
) {
  const locate = (path: string): LocatedCode => {
    return { path, origin: path.startsWith('/host') ? 'host' : 'layer', sha256: 'h', limit: undefined };
  };
  const pids = Object.keys(processes)
    .map(Number)
    .filter((pid) => processes[pid]?.threadOf === undefined);
  return lookAtProcesses({
    request: { ...REQUEST, pids, ...request },
    files,
    layers: { inodeOf: () => 1n },
    locator: {
      locate: ({ file }) => locate(file.path),
      locateExecuted: (path) => (path === '/gone' ? undefined : locate(path)),
      findOnUpper: ({ file }) => {
        if (file.path.startsWith('/lost')) return { limit: `mapping:${file.path}` };
        return file.path.startsWith('/upper') ? { path: file.path } : {};
      },
    },
    guard: { judge: ({ isCreated }) => (isCreated ? 'runtime' : isRuntime ? 'unsettled' : 'inside') },
    deadlineMs: Number.POSITIVE_INFINITY,
  });
}

test('programs and what they map are told, the program not once more as mapped', () => {
  const maps = [region('r-xp', '/bin/app'), region('r-xp', '/lib/c.so'), region('r--p', '/lib/data')];
  const { code, executed, anonymous, foreign, limits } = look({ 10: { maps }, 11: { parent: 10, maps } });
  assert.deepEqual(
    code.map(({ path, use }) => [path, use]),
    [
      ['/bin/app', 'program'],
      ['/lib/c.so', 'mapped'],
    ],
  );
  assert.deepEqual([executed, anonymous, foreign, limits], [[], [], [], []]);
});

test('memory without a file is told by its program, and a memfd that is mapped counts as such', () => {
  const maps = [region('rwxp', '').replace(' 7 ', ' 0 '), region('r-xs', '/memfd:jit (deleted)', '00:01')];
  const { anonymous, code } = look({ 10: { maps } });
  assert.deepEqual(
    anonymous.map(({ path }) => path),
    ['/bin/app'],
  );
  assert.equal(code.length, 1);
});

test('files of the upper directory that are mapped shared and writable are told, others not', () => {
  const maps = [region('rw-s', '/upper/data'), '3-4 rw-s 00000000 00:49 8  /elsewhere'];
  assert.deepEqual(look({ 10: { maps } }).restless, ['/upper/data']);
});

test('a file of the upper directory that is mapped so and that no path leads to is a limit', () => {
  const { restless, limits } = look({ 10: { maps: [region('rw-s', '/lost')] } });
  assert.deepEqual([restless, limits], [[], ['mapping:/lost']]);
});

test('what does not descend from the first process is told with its terminal', () => {
  const { executed } = look({ 10: {}, 20: { program: '/bin/sh', terminal: 34_816 }, 21: { parent: 20 } });
  assert.deepEqual(
    executed.map(({ path, terminal }) => [path, terminal]),
    [
      ['/bin/sh', true],
      ['/bin/app', false],
    ],
  );
});

test('another root directory is told, of the first process too', () => {
  assert.deepEqual(
    look({ 10: { rootInode: 9n } }).foreign.map(({ sees }) => sees),
    ['otherRoot'],
  );
  assert.deepEqual(
    look({ 10: {}, 11: { parent: 10, rootInode: 9n } }).foreign.map(({ sees }) => sees),
    ['otherRoot'],
  );
});

test('another mount namespace is told with the mounts that it adds', () => {
  const own = '2 1 0:80 / /run rw - tmpfs tmpfs rw';
  const mounts = ['12 11 0:80 / /run rw - tmpfs tmpfs rw', '13 11 0:99 / /usr/bin rw - tmpfs none rw'];
  const found = look({ 10: { mounts: [own] }, 11: { parent: 10, namespace: 'mnt:[2]', mounts } });
  assert.deepEqual(
    found.foreign.map(({ sees }) => sees),
    ['otherMounts'],
  );
  assert.deepEqual(
    found.mounts.map(({ mountPoint }) => mountPoint),
    ['/usr/bin'],
  );
});

test('libraries that are preloaded are told', () => {
  const { injected } = look({ 10: { environment: 'A=1\0LD_PRELOAD=/x.so\0' } });
  assert.deepEqual(injected, [{ path: '/bin/app', name: 'LD_PRELOAD', value: '/x.so' }]);
});

test('variables of what a process became meanwhile are told of that; of one that never rests, or is gone, all the same', () => {
  const environment = 'LD_PRELOAD=/x.so\0';
  const lookAtMoving = (names: (string | undefined)[]) => {
    const readProgram = () => (names.length > 1 ? names.shift() : names[0]);
    return paths(look({ 10: {} }, {}, false, { ...createFiles({ 10: { environment } }), readProgram }).injected);
  };
  assert.deepEqual(lookAtMoving(['/bin/sh', '/bin/app']), ['/bin/app']);
  assert.equal(lookAtMoving(['/a', '/b', '/c', '/d', '/e', '/f', '/g', '/h', '/i', '/j']).length, 1);
  assert.equal(lookAtMoving(['/bin/sh', '/bin/app', undefined]).length, 1);
});

test('what was executed and is gone is transient, what is still there is code', () => {
  const { transient, code } = look({ 10: {} }, { executed: ['/gone', '/tmp/there'] });
  assert.deepEqual(transient, ['/gone']);
  assert.deepEqual(
    code.map(({ path }) => path),
    ['/tmp/there', '/bin/app'],
  );
});

test('the runtime on its way is nothing of the container, and is to be looked at again', () => {
  const { code, executed, foreign, isUnsettled } = look({ 10: {}, 20: { namespace: 'mnt:[2]' } }, {}, true);
  assert.deepEqual([code, executed, foreign, isUnsettled], [[], [], [], true]);
});

test('of the runtime too, what it maps of the container, executable memory and preloaded libraries are told', () => {
  const memory = region('rwxp', '').replace(' 7 ', ' 0 ');
  const maps = [region('r-xp', '/host/libc.so'), region('r-xp', '/tmp/evil.so'), memory];
  const found = look({ 10: {}, 20: { maps, environment: 'LD_PRELOAD=/tmp/evil.so\0' } }, {}, true);
  assert.deepEqual(paths(found.code), ['/tmp/evil.so']);
  assert.deepEqual([paths(found.anonymous), paths(found.injected)], [['/bin/app'], ['/bin/app']]);
});

test('what the runtime became while it was looked at is not told as its own', () => {
  const files = createFiles({ 10: { maps: [region('r-xp', '/lib/c.so')], environment: 'LD_PRELOAD=/x\0' } });
  const names = ['/runc', '/bin/app'];
  const readProgram = () => names.shift();
  const found = look({ 10: {} }, {}, true, { ...files, readProgram });
  assert.deepEqual([found.code, found.injected, found.isUnsettled], [[], [], true]);
});

test('only the first process of a container is what was created', () => {
  const { code } = look({ 10: {}, 11: { parent: 10, program: '/bin/other' } }, { isCreated: true });
  assert.deepEqual(paths(code), ['/bin/other']);
});

test('a process that is gone is left out, and a limit of processes is named', () => {
  assert.deepEqual(look({ 10: {} }, { pids: [10, 77] }).limits, []);
  const pids = Array.from({ length: 5_000 }, (_pid, at) => 100 + at);
  assert.deepEqual(look({ 10: {} }, { pids }).limits, ['processes']);
});

test('a look that takes too long ends with what it has, and says so', () => {
  const { code, limits } = lookAtProcesses({
    request: { ...REQUEST, pids: [10] },
    files: createFiles({ 10: {} }),
    layers: { inodeOf: () => 1n },
    locator: { locate: () => assert.fail(), locateExecuted: () => undefined, findOnUpper: () => ({}) },
    guard: { judge: () => 'inside' },
    deadlineMs: Number.NEGATIVE_INFINITY,
  });
  assert.deepEqual([code, limits], [[], ['time']]);
});

const ENDED = { state: 'Z' };
const paths = (rows: readonly { readonly path: string }[]) => rows.map(({ path }) => path);

test('a process whose first thread ended is looked at by one that goes on', () => {
  const maps = [region('rwxp', '').replace(' 7 ', ' 0 '), region('r-xp', '/lib/c.so')];
  const thread = { threadOf: 20, program: '/tmp/evil', maps, environment: 'LD_PRELOAD=/x.so\0', namespace: 'mnt:[2]' };
  const dead = { threadOf: 20, threads: [], ...ENDED };
  const found = look({ 10: {}, 20: { ...ENDED, threads: [21, 22] }, 21: dead, 22: thread });
  assert.deepEqual(paths(found.code), ['/bin/app', '/tmp/evil', '/lib/c.so']);
  for (const rows of [found.executed, found.anonymous, found.foreign, found.injected]) {
    assert.deepEqual(paths(rows), ['/tmp/evil']);
  }
  assert.deepEqual(found.limits, []);
});

test('the mount namespace of a first process is that of its thread that goes on', () => {
  const thread = { threadOf: 10, namespace: 'mnt:[1]', mounts: ['2 1 0:80 / /run rw - tmpfs tmpfs rw'] };
  const other = { parent: 10, namespace: 'mnt:[2]', mounts: ['3 1 0:80 / /run rw - tmpfs tmpfs rw'] };
  const { foreign, mounts, limits } = look({ 10: { ...ENDED, threads: [11] }, 11: thread, 20: other });
  assert.deepEqual([foreign.map(({ sees }) => sees), mounts, limits], [['otherMounts'], [], []]);
});

test('a process that lives and shows nothing is a limit, one that ended or is ending is none', () => {
  const hidden = { threads: [] };
  assert.deepEqual(look({ 10: {}, 20: hidden }).limits, ['unreadable']);
  assert.deepEqual(look({ 10: {}, 20: { ...ENDED, threads: [21] }, 21: { ...hidden, threadOf: 20 } }).limits, [
    'unreadable',
  ]);
  assert.deepEqual(look({ 10: hidden }).limits, ['unreadable']);
  for (const gone of [ENDED, { flags: 0x4 }, { flags: 0x20_0000 }]) {
    assert.deepEqual(look({ 10: {}, 20: { ...hidden, ...gone } }).limits, []);
  }
});
