import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { AttestationStatus, type ContainerResult } from '@holdfast/proto';
import { type TarEntry, whyNoContainerd } from '@holdfast/scripts';
import { type HostileWorld, listLimits, startHostileWorld } from '../integration/hostile-world.ts';
import { missingSwtpm } from '../support/swtpm.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;
const options = { skip, timeout: 3_600_000 };
const STATUS = 'Package: aa\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n';
let world: HostileWorld;

before(async () => {
  if (skip === false) world = await startHostileWorld();
});

after(async () => {
  await world?.close();
});

interface Case {
  readonly args: readonly string[];
  readonly entries?: TarEntry[];
  readonly limit: RegExp;
}

/** A million names by the image's author, in directories of 10,000. */
function listMillion(): TarEntry[] {
  return Array.from({ length: 1_000_000 }, (_, at) => ({ path: `srv/many/${Math.floor(at / 10_000)}/${at}` }));
}

const CASES: Record<string, Case> = {
  '3,000,000 files': { args: ['many', '3000000', '/etc/many'], limit: /drift:(?:entries|pathBytes|time)/ },
  'a package database of 1 GiB': {
    args: ['database', '1024', 'stanzas'],
    entries: [{ path: 'var/lib/dpkg/status', content: STATUS }],
    limit: /inventory:fileBytes \/var\/lib\/dpkg\/status/,
  },
  'a package database of 60 MiB in short lines': {
    args: ['database', '60', 'stanzas'],
    entries: [{ path: 'var/lib/dpkg/status', content: STATUS }],
    limit: /inventory:packages|scan:/,
  },
  'holes of 8 GiB': { args: ['holes', '20'], limit: /drift:(?:fileBytes|time)|scan:time/ },
  'an image with 1,000,000 entries': {
    args: ['none'],
    entries: listMillion(),
    // Within the bounds, where the machine is quick enough: then nothing is left out.
    limit: /^$|baseline:|layerProof|layerBlobRefused|scan:/,
  },
};

for (const [what, { args, entries = [], limit }] of Object.entries(CASES)) {
  test(`${what}: what is left out is named, the neighbour on time, the memory within its bound`, options, async (t) => {
    const attack = await world.attack(args, { entries });
    const onTime: number[] = [];
    try {
      let result: ContainerResult | undefined;
      for (let looks = 0; looks < 200 && (looks < 5 || result === undefined); looks += 1) {
        onTime.push(await world.assertNeighbourOnTime());
        const found = await world.findResult(attack.container);
        if (found !== undefined && limit.test(listLimits(found))) result = found;
      }
      const last = (await world.findResult(attack.container)) ?? assert.fail('no result');
      const codes = last.findings.map(({ code }) => code);
      assert.ok(result !== undefined, `status ${last.status}: ${[...codes, listLimits(last)].join(' ')}`);
      assert.notEqual(result.status, AttestationStatus.AFFIRMING);
      const { mainMib, helperMib } = await world.assertMemoryBound();
      const slowest = Math.round(Math.max(...onTime));
      const figures = [`${listLimits(result).slice(0, 120)}`, `neighbour ${slowest} ms at most of ${onTime.length}`];
      t.diagnostic([...figures, `agent ${Math.round(mainMib)} MiB, helpers ${Math.round(helperMib)} MiB`].join('; '));
    } finally {
      await attack.stop();
    }
    world.assertUntouched();
  });
}
