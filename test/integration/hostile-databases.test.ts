import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AttestationStatus, type ContainerResult } from '@holdfast/proto';
import { type TarEntry, whyNoContainerd } from '@holdfast/scripts';
import { makeHostileArchives } from '../support/hostile-archives.ts';
import { missingSwtpm } from '../support/swtpm.ts';
import { type Attack, type HostileWorld, listLimits, startHostileWorld } from './hostile-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;
const options = { skip, timeout: 120_000 };
const STATUS = 'Package: aa\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n';
let world: HostileWorld;

before(async () => {
  if (skip === false) world = await startHostileWorld();
});

after(async () => {
  await world?.close();
});

async function withAttack(
  args: readonly string[],
  entries: TarEntry[],
  look: (attack: Attack) => Promise<void>,
): Promise<void> {
  const attack = await world.attack(args, { entries });
  try {
    await world.assertNeighbourOnTime();
    await look(attack);
    await world.assertNeighbourOnTime();
  } finally {
    await attack.stop();
  }
  world.assertUntouched();
}

const isIncomplete = (limit: RegExp) => (result: ContainerResult) => limit.test(listLimits(result));
const assertNotGood = ({ status }: ContainerResult) => assert.notEqual(status, AttestationStatus.AFFIRMING);

test('archives in an image that unpack to much more than they are name their limit', options, async () => {
  const archives = makeHostileArchives();
  const entries = [...archives].map(
    ([name, content]): TarEntry => ({
      path: name.endsWith('.json') ? `srv/${name.split('.')[0]}/node_modules/x/package.json` : `srv/${name}`,
      content,
    }),
  );
  await withAttack(['none'], entries, async (attack) => {
    const isNamed = (result: ContainerResult) =>
      [
        'archive /srv/bomb.jar',
        'archive /srv/nested.jar',
        'archive /srv/many.jar',
        'fileBytes /srv/long/',
        'jsonValues /srv/deep/',
      ].every((each) => listLimits(result).includes(each));
    assertNotGood(await attack.waitForResult(isNamed, 90_000));
  });
});

test('databases that are links to the host, directories or held open lead nowhere', options, async () => {
  const entries: TarEntry[] = [
    { path: 'var/lib/dpkg/status', type: 'symlink', target: '../../../../../../../../../../etc/shadow' },
    { path: 'var/lib/rpm/Packages', type: 'symlink', target: '/proc/1/root/etc/shadow' },
    { path: 'lib/apk/db/installed', type: 'directory' },
    { path: 'etc/os-release', type: 'symlink', target: world.canary },
    { path: 'usr/lib/python3/dist-packages/x-1.dist-info/METADATA', type: 'fifo' },
  ];
  await withAttack(['none'], entries, async (attack) => {
    const result = await attack.waitForResult(({ findings }) => findings.some(({ path }) => path === '/ready'));
    assertNotGood(result);
    assert.equal(result.packages ?? 0, 0);
  });
});

test('a package database of nothing but a hole is a limit', options, () =>
  withAttack(['database', '1024', 'hole'], [], async (attack) => {
    assertNotGood(await attack.waitForResult(isIncomplete(/inventory:fileBytes \/var\/lib\/dpkg\/status/), 60_000));
  }),
);

test('a package database of short lines takes no more memory than is allowed', options, () =>
  withAttack(['database', '64', 'lines'], [{ path: 'var/lib/dpkg/status', content: STATUS }], async (attack) => {
    const isRead = ({ findings }: ContainerResult) => findings.some(({ path }) => path === '/var/lib/dpkg/status');
    assertNotGood(await attack.waitForResult(isRead, 60_000));
  }),
);

test('200,000 packages are counted or named as a limit', options, () =>
  withAttack(['database', '16', 'stanzas'], [{ path: 'var/lib/dpkg/status', content: STATUS }], async (attack) => {
    const isCounted = (result: ContainerResult) =>
      (result.packages ?? 0) > 150_000 || /inventory:packages|scan:|inventoryFormat/.test(listLimits(result));
    assertNotGood(await attack.waitForResult(isCounted, 90_000));
  }),
);

test('all of it stays within the memory that the agent may use', options, async () => {
  await world.assertMemoryBound();
});
