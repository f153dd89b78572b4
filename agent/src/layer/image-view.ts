import type { ClosableView } from '../root-view/directory-view.ts';
import type { ViewLayer } from '../root-view/root-view.ts';

export interface ImagePlatform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

export interface ImageViewOptions {
  /** Tag (`org.opencontainers.image.ref.name`), full name or `sha256:…` of a manifest or index in the layout. */
  readonly ref?: string;
  /** Default: linux on this machine's architecture. */
  readonly platform?: ImagePlatform;
  /** Uncompressed bytes of all layers together. Default 64 GiB. */
  readonly maxBytes?: number;
  /** Entries of all layers together. Default 2,000,000. */
  readonly maxEntries?: number;
  /** Where the nameless spool files go. Default: the system's temporary directory. */
  readonly spoolDirectory?: string;
}

export interface ImageLayer extends ViewLayer {
  readonly diffId: string;
  readonly chainId: string;
  /** `sha256:…` of the blob. */
  readonly digest: string;
  readonly mediaType: string;
}

/** An image that was never unpacked, merged from its layers. Every digest was recomputed. */
export interface OciImageView extends ClosableView {
  readonly layers: readonly ImageLayer[];
  /** Index digests passed on the way, outermost first. */
  readonly indexDigests: readonly string[];
  readonly manifestDigest: string;
  readonly configDigest: string;
  /** Name in the layout, a label. */
  readonly reference: string | null;
  readonly platform: ImagePlatform;
}

/**
 * Opens an image of an OCI image layout. `layout` may also be `DIRECTORY:REF`.
 *
 * Throws `EvidenceError` for a layout that is malformed, ambiguous, passes a limit or has a wrong digest.
 */
export declare function openImageView(layout: string, options?: ImageViewOptions): Promise<OciImageView>;
