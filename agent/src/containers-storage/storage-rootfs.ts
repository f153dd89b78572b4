import { computeChainIds } from '../container/image-config.ts';
import type { Rootfs } from '../container/rootfs-resolver.ts';
import type { StorageLayer } from './storage-documents.ts';
import type { StorageFiles } from './storage-files.ts';

const MAX_PARENTS = 512;
const LINK_NAME = /^[A-Z0-9]{1,64}$/;

/**
 * Finds the directories of a container's layers, from its writable layer downwards: each lies below the store under the
 * layer's own id, and the kernel may show it by a short link instead, which is followed here and nowhere else. Undefined
 * where a layer is missing. Throws `AgentError` where the store cannot be read.
 */
export async function resolveStorageRootfs(
  files: StorageFiles,
  root: string,
  layers: ReadonlyMap<string, StorageLayer>,
  top: string,
): Promise<Rootfs | undefined> {
  const chain = listChain(layers, top);
  if (chain === undefined) return undefined;
  const home = `${root}/overlay`;
  const below = chain.slice(1).reverse();
  const diffIds = below.flatMap(({ diffId }) => diffId ?? []);
  const unsupported: string[] = [];
  if (diffIds.length !== below.length) unsupported.push('layerDigest');
  if (chain.some(({ isShifted }) => isShifted)) unsupported.push('idmappedLower');
  if (below.length === 0) unsupported.push('lowerCount');
  if (!/^[\x20-\x7e]*$/.test(root)) unsupported.push('pathEncoding');
  const aliases: Record<string, string> = {};
  for (const { id } of chain) {
    if ((await files.stamp(`${home}/${id}/composefs-data`)) !== undefined) unsupported.push('composefs');
    Object.assign(aliases, await listAliases(files, home, id));
  }
  return {
    driver: 'overlay',
    lowers: below.map(({ id }) => toDirectory(home, id)),
    upper: toDirectory(home, top),
    chainIds: computeChainIds(diffIds),
    unsupported: [...new Set(unsupported)],
    aliases,
  };
}

/** Top first. A parent that is its own ancestor ends as one that is missing. */
function listChain(layers: ReadonlyMap<string, StorageLayer>, top: string): StorageLayer[] | undefined {
  const chain: StorageLayer[] = [];
  for (let at: string | undefined = top; at !== undefined; at = chain.at(-1)?.parent) {
    const layer = layers.get(at);
    if (layer === undefined || chain.length > MAX_PARENTS) return undefined;
    chain.push(layer);
  }
  return chain;
}

/** The short link counts only where it leads to the very layer that names it. */
async function listAliases(files: StorageFiles, home: string, id: string): Promise<Record<string, string>> {
  const directory = toDirectory(home, id);
  const name = (await files.read(`${home}/${id}/link`, 256))?.toString('latin1').trim() ?? '';
  const target = LINK_NAME.test(name) ? await files.readLink(`${home}/l/${name}`) : undefined;
  const relative = { [`${id}/diff`]: directory };
  if (target !== `../${id}/diff`) return relative;
  return { ...relative, [`l/${name}`]: directory, [`${home}/l/${name}`]: directory };
}

function toDirectory(home: string, id: string): string {
  return `${home}/${id}/diff`;
}
