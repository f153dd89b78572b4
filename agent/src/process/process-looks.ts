import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseMountinfo } from '../container/mountinfo.ts';
import { CodeLocator, formatDevice } from './code-locator.ts';
import { ContainerGroups } from './container-group.ts';
import { attempt, FileHasher } from './file-hasher.ts';
import { OpenLayers } from './layer-files-source.ts';
import { lookAtProcesses } from './look-at-processes.ts';
import { type LookReply, type LookRequest, NO_GROUP, type PeekReply, type PeekRequest } from './look-protocol.ts';
import { peekAtProcesses } from './peek-at-processes.ts';
import { createProcessFiles } from './process-files-source.ts';
import { RuntimeGuard } from './runtime-guard.ts';

/** Looks at processes and remembers the hashes of what they run. Lives in a worker thread. */
export class ProcessLooks {
  readonly #hasher = new FileHasher(() => Date.now());
  #guard: RuntimeGuard | undefined;

  look(request: LookRequest): LookReply | typeof NO_GROUP {
    const { hostRoot, budgetMs } = request;
    const pids = request.pids ?? listProcesses(request);
    if (pids === undefined) return NO_GROUP;
    const layers = new OpenLayers(this.#hasher);
    this.#guard ??= new RuntimeGuard(hostRoot, this.#hasher, () => performance.now());
    try {
      return lookAtProcesses({
        request: { ...request, pids },
        files: createProcessFiles(hostRoot, this.#hasher),
        layers,
        locator: new CodeLocator(request, layers, createHostTypes(hostRoot)),
        guard: this.#guard,
        deadlineMs: performance.now() + budgetMs,
      });
    } finally {
      layers.close();
    }
  }

  peek({ hostRoot, asked }: PeekRequest): PeekReply {
    return { signatures: asked.map(({ pid, pids }) => peekAtProcesses(hostRoot, pid, pids)) };
  }
}

function listProcesses({ hostRoot, pid, cgroupsPath }: LookRequest): readonly number[] | undefined {
  return cgroupsPath === null ? undefined : new ContainerGroups(hostRoot).read(pid, cgroupsPath)?.pids;
}

/** Read once a look, and only where something lies on no mount of the container. */
function createHostTypes(hostRoot: string): () => ReadonlyMap<string, string> {
  let types: ReadonlyMap<string, string> | undefined;
  return () => {
    types ??= new Map(readHostMounts(hostRoot).map((mount) => [formatDevice(mount), mount.fsType]));
    return types;
  };
}

function readHostMounts(hostRoot: string) {
  const bytes = attempt(() => readFileSync(join(hostRoot, 'proc/1/mountinfo')));
  return bytes === undefined ? [] : parseMountinfo(bytes);
}
