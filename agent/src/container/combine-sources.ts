import { assignKeys } from './container-record.ts';
import type { RuntimeSource } from './runtime-source.ts';

/** A source and the namespaces that are its own. */
export interface SourcePart {
  readonly source: RuntimeSource;
  readonly owns: (namespace: string) => boolean;
}

/**
 * Several runtimes of one kube node as one. A list without one of them would look like exits: where one does not answer,
 * there is no list. Each container's questions go to the runtime that its namespace belongs to.
 */
export function combineSources(parts: readonly SourcePart[]): RuntimeSource {
  const of = (namespace: string): RuntimeSource => {
    const part = parts.find(({ owns }) => owns(namespace));
    if (part === undefined) throw new TypeError('every namespace belongs to a runtime');
    return part.source;
  };
  const sources = parts.map(({ source }) => source);
  return {
    probe: async () => (await Promise.all(sources.map((source) => source.probe()))).flat(),
    listRecords: async () => assignKeys((await Promise.all(sources.map((source) => source.listRecords()))).flat()),
    readRootfs: async (record) => await of(record.namespace).readRootfs(record),
    listPids: async (record) => await of(record.namespace).listPids(record),
    listLimits: () => sources.flatMap((source) => source.listLimits()),
    findBlob: (namespace, layer, directory) => of(namespace).findBlob(namespace, layer, directory),
    getImage: async (namespace, name) => await of(namespace).getImage(namespace, name),
    listImages: async (namespace) => await of(namespace).listImages(namespace),
    listBlobs: async (namespace, label, value) => await of(namespace).listBlobs(namespace, label, value),
    readBlob: async (namespace, digest, maxBytes) => await of(namespace).readBlob(namespace, digest, maxBytes),
    subscribe: (onEvent, onGap) => {
      const ends = sources.map((source) => source.subscribe(onEvent, onGap));
      return () => {
        for (const end of ends) end();
      };
    },
    close: () => {
      for (const source of sources) source.close();
    },
  };
}
