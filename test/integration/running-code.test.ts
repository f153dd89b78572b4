import { after, afterEach, before, describe, it } from 'node:test';
import { whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { compileActor, whyNoCompiler } from './actor-program.ts';
import { type ScenarioContainer, sha256 } from './scenario-container.ts';
import { describeBusyboxImage } from './scenario-images.ts';
import { type ScenarioWorld, startScenarioWorld } from './scenario-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? (await whyNoCompiler()) ?? false;

describe('code that runs and is not of the image', { skip, timeout: 300_000 }, () => {
  let world: ScenarioWorld;
  let image: string;
  let actor: string;
  let container: ScenarioContainer;

  before(async () => {
    const program = await compileActor();
    actor = sha256(program);
    world = await startScenarioWorld();
    const entries = [{ path: 'app/actor', content: program, mode: 0o755 }];
    ({ name: image } = await world.addImage(await describeBusyboxImage('running', entries)));
  });
  after(async () => await world?.close());
  afterEach(async () => await container.remove());

  it('8: a program in a memfd is named with its hash', async () => {
    container = await world.start(image);
    await container.detach('/app/actor', 'memfd', 'kworker', '/app/actor');
    await container.expectFindings([{ code: 'FILELESS_EXECUTION', path: '/memfd:kworker', actual: actor }]);
  });
});
