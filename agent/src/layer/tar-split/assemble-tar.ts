import { createHash } from 'node:crypto';
import { EvidenceError } from '@holdfast/evidence';
import { RootfsError, type RootHandle } from '@holdfast/rootfs';
import { decompressLayer } from '../blob/decompress-layer.ts';
import { openBlob } from '../blob/open-blob.ts';
import { splitTarPath } from '../tree/split-tar-path.ts';
import { Crc64 } from './crc64.ts';
import { type TarSplitEntry, TarSplitParser } from './parse-tar-split.ts';

export interface TarSplitSource {
  /** File with the tar-split entries of the layer, gzip or plain. */
  readonly path: string;
  /** The unpacked layer. */
  readonly root: RootHandle;
  /** Of the tar that comes out. */
  readonly maxBytes: number;
}

type FileEntry = Extract<TarSplitEntry, { kind: 'file' }>;

const PIECE_BYTES = 1 << 20;
const ZEROS = Buffer.alloc(64 * 1024);

/**
 * Builds the tar of a layer anew from what tar-split kept of it and from the files of the unpacked directory, and hands
 * its pieces to `onTar`. A file that is missing or too short counts as zeros, one that is too long up to its size: the
 * digest then differs. Returns the tar's length and `sha256:…`, which the caller compares with the diffID.
 *
 * Throws `EvidenceError` where the entries are malformed or pass a limit.
 */
export async function assembleTar(
  source: TarSplitSource,
  onTar: (piece: Buffer) => void,
): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const emit = (piece: Buffer): void => {
    bytes += piece.length;
    if (bytes > source.maxBytes) {
      throw new EvidenceError('ERR_EVIDENCE_LIMIT', `layer: more than ${source.maxBytes} bytes`);
    }
    hash.update(piece);
    onTar(piece);
  };
  await readEntries(source.path, (entry) => {
    if (entry.kind === 'bytes') {
      emit(entry.bytes);
      return;
    }
    let missing = readContent(source.root, entry, emit);
    for (; missing > 0; missing -= Math.min(ZEROS.length, missing)) emit(ZEROS.subarray(0, missing));
  });
  return { bytes, digest: `sha256:${hash.digest('hex')}` };
}

/** Paths (latin1, as the tar names them) of the files whose content is not what tar-split's checksum says, at most `max`. */
export async function findChangedFiles(source: TarSplitSource, max: number): Promise<string[]> {
  const changed: string[] = [];
  await readEntries(source.path, (entry) => {
    if (entry.kind === 'bytes' || entry.crc === undefined || changed.length >= max) return;
    const crc = new Crc64();
    const missing = readContent(source.root, entry, (piece) => crc.update(piece));
    if (missing > 0 || !crc.digest().equals(entry.crc)) changed.push(splitTarPath(entry.path).join('/'));
  });
  return changed;
}

async function readEntries(path: string, onEntry: (entry: TarSplitEntry) => void): Promise<void> {
  const parser = new TarSplitParser(onEntry);
  // The compression of layers and of these files is told by the first bytes alike.
  const lines = decompressLayer(openBlob({ path }), 'application/vnd.oci.image.layer.v1.tar+gzip');
  for await (const chunk of lines) parser.push(chunk);
  parser.end();
}

/** Hands out at most as many bytes as the tar holds of a file, and tells how many of them the file lacks. */
function readContent(root: RootHandle, { path, size }: FileEntry, emit: (piece: Buffer) => void): number {
  const at = Buffer.from(splitTarPath(path).join('/'), 'latin1');
  let done = 0;
  while (done < size) {
    const content = readPiece(root, at, done, Math.min(PIECE_BYTES, size - done));
    if (content.length === 0) break;
    emit(content);
    done += content.length;
  }
  return size - done;
}

function readPiece(root: RootHandle, path: Buffer, offset: number, length: number): Buffer {
  try {
    return root.readFile(path, { maxBytes: PIECE_BYTES, offset, length }).content;
  } catch (error) {
    if (error instanceof RootfsError) return Buffer.alloc(0);
    throw error;
  }
}
