import { EvidenceError, encodeInventory, type Inventory, toBytePath } from '@holdfast/evidence/documents';
import { collectDrift, createDriftMemory, type DriftMemory } from '../drift/collect-drift.ts';
import { collectMountPoints } from '../drift/runtime-stub.ts';
import { updateDrift } from '../drift/update-drift.ts';
import { openUpperSource, type UpperSource } from '../drift/upper-source.ts';
import { collectInventory } from '../inventory/collect-inventory.ts';
import { InventoryBuilder, type InventoryLimits } from '../inventory/inventory-builder.ts';
import { readOsId } from '../inventory/os-release.ts';
import { createPackageOwners, type PackageOwners } from '../inventory/package-owners.ts';
import { type OverlayRootView, openOverlayView } from '../overlay/overlay-view.ts';
import type { ClosableView } from '../root-view/directory-view.ts';
import { ViewLimitError } from '../root-view/root-view.ts';
import { SCAN_BOUNDS, type ScanBounds } from './scan-bounds.ts';
import type { QuietReply, ScannedDocument, ScannedDrift, ScanReply, ScanRequest } from './scan-protocol.ts';

/** Images whose layers stay open: their package owners are then at hand when something changes. */
const MAX_OPEN_IMAGES = 2;

/** The layers of one image, open, with the answers that cost most. */
interface OpenImage {
  readonly view: OverlayRootView;
  owners: PackageOwners | undefined;
}

/** Scans containers one at a time and remembers of each what the next scan can do without. Lives in a worker thread. */
export class ContainerScans {
  readonly #memories = new Map<string, { readonly generation: string; readonly memory: DriftMemory }>();
  readonly #images = new Map<string, OpenImage>();

  /**
   * Looks at what changed, and walks where that is not known or not enough. Reads drift first, then only the inventories
   * that the caller lacks and that the drift can have moved. Throws `RootfsError` where a layer is gone or cannot be opened.
   */
  scan(request: ScanRequest): ScanReply | QuietReply {
    const deadlineMs = performance.now() + request.budgetMs;
    const bounds = SCAN_BOUNDS[request.bounds];
    const image = this.#openImage(request);
    const drift = this.#scanDrift(request, image, deadlineMs);
    const isKnown = drift.sha256 === request.driftOf && drift.inventoryDigest === request.inventoryOf;
    if (isKnown && !request.wantsBaseline && drift.limits.length === 0) {
      return { kind: 'quiet', isWhole: drift.isWhole, tookMs: drift.tookMs };
    }
    const baseline = request.wantsBaseline ? takeInventory(image.view, { ...bounds.inventory, deadlineMs }) : undefined;
    return {
      kind: 'scanned',
      drift,
      baseline,
      inventory: this.#takeMerged(request, image, drift, deadlineMs),
      covered: listCovered(request, image),
    };
  }

  forget(key: string): void {
    this.#memories.delete(key);
  }

  #openImage(request: ScanRequest): OpenImage {
    const known = this.#images.get(request.lowerKey);
    const maxEntries = SCAN_BOUNDS[request.bounds].maxNames;
    const image = known ?? { view: openOverlayView({ lowers: request.lowers, maxEntries }), owners: undefined };
    this.#images.delete(request.lowerKey);
    this.#images.set(request.lowerKey, image);
    for (const [key, oldest] of this.#images) {
      if (this.#images.size <= MAX_OPEN_IMAGES) break;
      oldest.view.close();
      this.#images.delete(key);
    }
    return image;
  }

  #scanDrift(request: ScanRequest, image: OpenImage, deadlineMs: number): ScannedDrift {
    const startMs = performance.now();
    const bounds = SCAN_BOUNDS[request.bounds];
    const source = request.upper === null ? NO_UPPER : openUpperSource(request.upper, bounds.upper);
    try {
      const asked = {
        source,
        image: image.view,
        mountPoints: collectMountPoints(request.mountPoints),
        owners: () => {
          image.owners ??= createPackageOwners(image.view, { limits: bounds.inventory });
          return image.owners;
        },
        deadlineMs,
        memory: this.#recall(request),
      };
      const paths = request.changed?.split('\0').slice(0, -1);
      const updated = paths === undefined ? undefined : updateDrift({ ...asked, paths, since: request.driftOf });
      const { document, ...outcome } = updated ?? collectDrift(asked);
      return { ...outcome, bytes: document, isWhole: updated === undefined, tookMs: performance.now() - startMs };
    } finally {
      source.close();
      this.#forgetMost(bounds);
    }
  }

  /** What one container's upper directory made this worker remember must not take the room of the others. */
  #forgetMost({ maxRemembered }: ScanBounds): void {
    let remembered = 0;
    for (const [key, { memory }] of [...this.#memories].reverse()) {
      remembered += memory.outcomes.size + memory.removed.size;
      if (remembered > maxRemembered) this.#memories.delete(key);
    }
  }

  #recall({ key, lowerKey, upper, mountPoints, restless }: ScanRequest): DriftMemory {
    const generation = JSON.stringify([lowerKey, upper, mountPoints]);
    const known = this.#memories.get(key);
    const memory = known?.generation === generation ? known.memory : createDriftMemory();
    for (const path of restless) memory.outcomes.delete(toBytePath(Buffer.from(path, 'latin1')));
    this.#memories.delete(key);
    this.#memories.set(key, { generation, memory });
    return memory;
  }

  #takeMerged(request: ScanRequest, image: OpenImage, drift: ScannedDrift, deadlineMs: number): ScanReply['inventory'] {
    if (drift.inventoryDigest === null) return 'baseline';
    if (drift.inventoryDigest === request.inventoryOf) return 'known';
    const { lowers, upper } = request;
    const bounds = SCAN_BOUNDS[request.bounds];
    using view = openOverlayView({ lowers, upper: upper ?? undefined, deadlineMs, maxEntries: bounds.maxNames });
    // Another os-release in the upper directory must not rename every package of the image.
    const limits = { ...bounds.inventory, deadlineMs };
    const osId = readOsId(new InventoryBuilder(image.view, limits));
    return takeInventory(view, limits, osId);
  }
}

const NO_UPPER: UpperSource = {
  walk: () => undefined,
  walkBelow: () => undefined,
  findNames: () => [],
  look: () => undefined,
  lookInside: () => undefined,
  hashFile: () => {
    throw new TypeError('there is no upper directory');
  },
  readParts: () => {
    throw new TypeError('there is no upper directory');
  },
  close: () => undefined,
};

const REFUSED = { complete: false, limits: ['inventoryFormat'], databases: [], packages: [] };

function takeInventory(view: ClosableView, limits: InventoryLimits, osId?: string): ScannedDocument {
  const inventory = collectInventory(view, osId === undefined ? limits : { ...limits, osId });
  try {
    return { bytes: encodeInventory(inventory), limits: inventory.limits };
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error;
    // Names from a hostile database can pass every bound; a document without packages that says so is the honest rest.
    const refused: Inventory = { ...inventory, ...REFUSED };
    return { bytes: encodeInventory(refused), limits: REFUSED.limits };
  }
}

function listCovered({ mountPoints }: ScanRequest, { view }: OpenImage): string[] {
  return mountPoints.filter((point) => {
    try {
      return view.lstat(toBytePath(Buffer.from(point, 'latin1'))) !== undefined;
    } catch (error) {
      // A mount point that is no plain path, or a part of the image that cannot be read: it may well cover something.
      if (error instanceof TypeError || error instanceof ViewLimitError) return true;
      throw error;
    }
  });
}
