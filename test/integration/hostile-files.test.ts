import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AttestationStatus, type ContainerResult } from '@holdfast/proto';
import { whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { type Attack, type HostileWorld, listLimits, startHostileWorld } from './hostile-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;
const options = { skip, timeout: 120_000 };
let world: HostileWorld;

before(async () => {
  if (skip === false) world = await startHostileWorld();
});

after(async () => {
  await world?.close();
});

/** Runs one attack, looks at the neighbour while it goes on, and ends it. */
async function withAttack(args: readonly string[], look: (attack: Attack) => Promise<void>): Promise<void> {
  const attack = await world.attack(args);
  try {
    await world.assertNeighbourOnTime();
    await look(attack);
    await world.assertNeighbourOnTime();
  } finally {
    await attack.stop();
  }
  world.assertUntouched();
}

const isFound = (path: string) => (result: ContainerResult) =>
  result.findings.some((finding) => finding.path.startsWith(path));
const isIncomplete = (limit: RegExp) => (result: ContainerResult) => limit.test(listLimits(result));
const assertNotGood = ({ status }: ContainerResult) => assert.notEqual(status, AttestationStatus.AFFIRMING);

test('directories that turn into links to the host and back lead nowhere', options, () =>
  withAttack(['links-race', world.canary, '/proc/1/root/etc', '/etc'], async (attack) => {
    assertNotGood(await attack.waitForResult(isFound('/etc/race')));
  }),
);

test('a package database that turns into a FIFO and a link and back is never opened as one', options, () =>
  withAttack(['fifo-race'], async (attack) => {
    assertNotGood(await attack.waitForResult(isFound('/var/lib/dpkg')));
    assert.equal(await attack.read('/caught'), undefined);
  }),
);

test('FIFOs, sockets and devices are named, also in place of databases, and never opened', options, () =>
  withAttack(['nodes'], async (attack) => {
    const nodes = ['fifo', 'socket', 'tty', 'watchdog', 'disk'].map((name) => `/etc/${name}`);
    const databases = ['/var/lib/dpkg/status', '/var/lib/rpm/rpmdb.sqlite'];
    const touched = await attack.guard([...nodes, ...databases]);
    await world.assertNeighbourOnTime();
    for (const path of [...nodes, ...databases]) assertNotGood(await attack.waitForResult(isFound(path)));
    assert.deepEqual(touched, []);
  }),
);

test('a hole of 1 TiB is a limit', options, () =>
  withAttack(['holes', '0'], async (attack) => {
    assertNotGood(await attack.waitForResult(isIncomplete(/drift:fileBytes:\/etc\/hole0/)));
  }),
);

test('a path of 4,000 directories is a limit', options, () =>
  withAttack(['deep', '4000'], async (attack) => {
    const result = await attack.waitForResult(isIncomplete(/drift:depth/), 60_000);
    assert.equal(result.status, AttestationStatus.NONE);
  }),
);

test('names of any bytes are told in letters that move no terminal and break no line', options, () =>
  withAttack(['names'], async (attack) => {
    const { findings } = await attack.waitForResult(isFound('/etc/two'), 60_000);
    const paths = findings.map(({ path }) => path);
    assert.ok(paths.filter((path) => path.length > 255).length > 200);
    for (const { path, actual, message } of findings) assert.match(`${path}${actual}${message}`, /^[\x20-\x7e]*$/);
  }),
);

test('a file that is cut, grown and replaced while it is read is a finding', options, () =>
  withAttack(['rewrite'], async (attack) => {
    assertNotGood(await attack.waitForResult(isFound('/etc/rewritten')));
  }),
);

test('more events than the kernel queues do not hide those of the neighbour', options, () =>
  withAttack(['storm', '4'], async (attack) => {
    assertNotGood(await attack.waitForResult(({ findings }) => findings.length > 0));
    await world.assertNeighbourOnTime();
  }),
);

test(
  'hard links and attributes by the thousand, and processes by the hundred, are looked at one by one',
  options,
  async () => {
    await withAttack(['hard-links', '5000'], async (attack) => {
      assertNotGood(await attack.waitForResult(isFound('/etc/links/')));
    });
    await withAttack(['xattrs', '100'], async (attack) => {
      assertNotGood(await attack.waitForResult(isFound('/etc/xattrs/')));
    });
    await withAttack(['processes', '300'], async (attack) => {
      assertNotGood(await attack.waitForResult(isFound('/ready')));
    });
  },
);

test('all of it stays within the memory that the agent may use', options, async () => {
  await world.assertMemoryBound();
});
