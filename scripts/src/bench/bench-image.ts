import { listBusyboxEntries, type TarEntry } from '../world/tar-writer.ts';
import type { TestContainerd } from '../world/test-containerd.ts';

const NAME = 'docker.io/holdfast/bench:1';
const DIRECTORIES = ['etc', 'var', 'var/log', 'var/cache', 'usr', 'usr/share', 'usr/share/doc'];

/** An image of busybox, the directories of a distribution and some files of its own; gives its name. */
export async function addBenchImage(containerd: TestContainerd): Promise<string> {
  const directories = DIRECTORIES.map((path): TarEntry => ({ path, type: 'directory' }));
  const files = Array.from({ length: 200 }, (_, at): TarEntry => ({ path: `usr/share/doc/${at}`, content: `${at}` }));
  await containerd.addImage({
    name: NAME,
    layers: [{ entries: await listBusyboxEntries() }, { entries: [...directories, ...files] }],
    config: { Cmd: ['sleep', '1000000'] },
  });
  return NAME;
}
