import { AgentError } from '../agent-error.ts';
import type { ContainerTask } from '../container/container-record.ts';
import type { ContainerdEvent } from '../containerd/containerd-events.ts';
import type { StorageFiles, StoragePaths } from './storage-files.ts';
import { createStorageWatch } from './storage-watch.ts';

/** What is looked at between two lists: which containers there are, what runs in them, and whether images moved. */
export interface StorageState {
  /** By container id. */
  readonly containers: ReadonlyMap<string, StorageSight>;
  /** Differs after the list of images changed. */
  readonly images: string | undefined;
}

/** What a list would say of a container that may change without its row in the store. */
export interface StorageSight {
  /** Its first process, or undefined where nothing runs. */
  readonly task: ContainerTask | undefined;
  readonly runtime: string;
}

export interface StorageFollowing {
  readonly files: StorageFiles;
  readonly paths: StoragePaths;
  readonly namespace: string;
  look(): Promise<StorageState>;
}

/** What nothing tells of, such as the end of a process, is seen after this time at the latest. */
const LOOK_MS = 1_000;
/** After a change: starting and stopping take several steps, of which only some are told of. */
const SETTLE_MS = 150;
const GATHER_MS = 20;
const MAX_SEEN = 50_000;
const ID = /^[0-9a-f]{64}$/;

/**
 * Follows a container store: looks whenever something moves in its directories and on a timer, and tells what differs
 * from the last look in containerd's words. Returns a function that ends it.
 */
export function followStorage(
  following: StorageFollowing,
  onEvent: (event: ContainerdEvent) => void,
  onGap: () => void,
): () => void {
  const { files, paths, namespace } = following;
  const directories = [
    { path: `${paths.root}/overlay-containers`, holdsContainers: true },
    { path: `${paths.runRoot}/overlay-containers`, holdsContainers: true },
    { path: `${paths.root}/overlay-images`, holdsContainers: false },
    { path: `${paths.runRoot}/overlay-layers`, holdsContainers: false },
  ].map((each) => ({ ...each, path: files.toHostPath(each.path) }));
  let before: StorageState | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isLooking = false;
  let isAsked = false;
  let isMoving = false;
  const seen = new SeenIds();
  let ended = false;
  const watch = createStorageWatch(directories, () => lookSoon(GATHER_MS));
  const emit = (topic: string, containerId: string | undefined) =>
    onEvent({ namespace, topic, containerId, execId: undefined });
  const lookSoon = (ms: number): void => {
    isAsked ||= ms === GATHER_MS;
    if (isLooking || ended) return;
    clearTimeout(timer);
    timer = setTimeout(() => void look(), ms);
  };
  const look = async (): Promise<void> => {
    isLooking = true;
    isAsked = false;
    try {
      const names = watch.takeNames();
      const now = await following.look();
      const news = seen.takeNew(names, now.containers.keys());
      if (ended) return;
      const events = before === undefined ? [] : compareStates(before, now, news);
      for (const [topic, id] of events) emit(topic, id);
      if (before === undefined) onGap();
      isMoving = events.length > 0;
      before = now;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      // The list that follows fails alike and says so.
      onGap();
    } finally {
      isLooking = false;
      lookSoon(isAsked ? GATHER_MS : isMoving ? SETTLE_MS : LOOK_MS);
    }
  };
  void look();
  return () => {
    ended = true;
    clearTimeout(timer);
    watch.close();
  };
}

/** Remembers containers that were looked at: their directories go later than they do, and are no containers of their own. */
export class SeenIds {
  readonly #ids = new Set<string>();

  /** Those of the names that no look ever showed; `listed` is what the last one did. */
  takeNew(names: readonly string[], listed: Iterable<string>): string[] {
    for (const id of listed) this.#add(id);
    const news = names.filter((name) => ID.test(name) && !this.#ids.has(name));
    for (const name of news) this.#add(name);
    return news;
  }

  #add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= MAX_SEEN) break;
      this.#ids.delete(oldest);
    }
  }
}

/**
 * What differs between two looks, as topics of containerd and container ids. `names` are those of entries that came or
 * went in between: one of a container that neither look saw was there only in between.
 */
export function compareStates(
  before: StorageState,
  now: StorageState,
  names: readonly string[],
): [string, string | undefined][] {
  const events: [string, string | undefined][] = [];
  for (const [id, sight] of now.containers) {
    const known = before.containers.get(id);
    if (known === undefined) events.push(['/containers/create', id]);
    events.push(...compareTasks(known?.task, sight.task).map((topic): [string, string] => [topic, id]));
    if (known !== undefined && isOtherwise(known, sight)) events.push(['/containers/update', id]);
  }
  const isGone = (id: string) => !now.containers.has(id);
  const gone = new Set([...before.containers.keys(), ...names.filter((name) => ID.test(name))].filter(isGone));
  for (const id of gone) events.push(['/containers/delete', id]);
  if (before.images !== now.images) events.push(['/images/update', undefined]);
  return events;
}

function compareTasks(known: ContainerTask | undefined, task: ContainerTask | undefined): string[] {
  if (known?.pid !== task?.pid) {
    return [...(known === undefined ? [] : ['/tasks/exit']), ...(task === undefined ? [] : ['/tasks/start'])];
  }
  return task !== undefined && known?.status !== task.status ? [`/tasks/${task.status}`] : [];
}

/** A root that is unmounted late, a monitor that writes its number late, a process that begins to run: no task comes or goes. */
function isOtherwise(known: StorageSight, sight: StorageSight): boolean {
  return known.runtime !== sight.runtime || known.task?.isCreated !== sight.task?.isCreated;
}
