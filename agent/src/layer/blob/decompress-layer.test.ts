import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { decompressLayer } from './decompress-layer.ts';
import { readLayer } from './read-layer.ts';

const OCI = 'application/vnd.oci.image.layer.v1.tar';
const TEXT = Buffer.from('some bytes of a tar '.repeat(500));
const MALFORMED = { name: 'EvidenceError', code: 'ERR_EVIDENCE_MALFORMED' };
const SKIPPABLE = Buffer.from('502a4d1803000000aabbcc', 'hex');

async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decompress(bytes: Buffer, mediaType = `${OCI}+gzip`, size = 1000): Promise<Buffer> {
  const out: Buffer[] = [];
  for await (const piece of decompressLayer(pieces(bytes, size), mediaType)) out.push(piece);
  return Buffer.concat(out);
}

describe('layer decompression', () => {
  it('reads plain, gzip and zstd whatever the pieces are', async () => {
    for (const size of [1, 3, 1000]) {
      assert.deepEqual(await decompress(TEXT, OCI, size), TEXT);
      assert.deepEqual(await decompress(gzipSync(TEXT), `${OCI}+gzip`, size), TEXT);
      assert.deepEqual(await decompress(zstdCompressSync(TEXT), `${OCI}+zstd`, size), TEXT);
    }
  });

  it('reads all members of a gzip and all frames of a zstd file', async () => {
    const half = TEXT.subarray(0, 77);
    const rest = TEXT.subarray(77);
    assert.deepEqual(await decompress(Buffer.concat([gzipSync(half), gzipSync(rest)])), TEXT);
    const frames = Buffer.concat([SKIPPABLE, zstdCompressSync(half), SKIPPABLE, zstdCompressSync(rest), SKIPPABLE]);
    for (const size of [1, 5, 1000]) assert.deepEqual(await decompress(frames, `${OCI}+zstd`, size), TEXT);
  });

  it('lets the first bytes decide under a type that may be compressed', async () => {
    assert.deepEqual(await decompress(TEXT, 'application/vnd.docker.image.rootfs.diff.tar.gzip'), TEXT);
    assert.deepEqual(await decompress(zstdCompressSync(TEXT), `${OCI}+gzip`), TEXT);
  });

  it('believes the type of a plain tar', async () => {
    assert.deepEqual(await decompress(gzipSync(TEXT), OCI), gzipSync(TEXT));
  });

  it('refuses types that are no layer', async () => {
    for (const type of ['text/plain', '', `${OCI}+encrypted`, 'toString']) {
      await assert.rejects(decompress(TEXT, type), MALFORMED);
    }
  });

  it('refuses truncated and damaged data at every length', async () => {
    const gzip = gzipSync(TEXT);
    const zstd = zstdCompressSync(TEXT);
    for (let length = 4; length < gzip.length; length += 7) {
      await assert.rejects(decompress(gzip.subarray(0, length)), MALFORMED, `gzip ${length}`);
    }
    for (let length = 4; length < zstd.length; length += 1) {
      await assert.rejects(decompress(zstd.subarray(0, length)), MALFORMED, `zstd ${length}`);
    }
    await assert.rejects(decompress(Buffer.concat([zstd, Buffer.from('junk')])), MALFORMED);
  });

  it('has nothing to say of an empty blob', async () => {
    assert.equal((await decompress(Buffer.alloc(0))).length, 0);
  });

  it('passes on what the source throws', async () => {
    async function* failing(): AsyncGenerator<Buffer> {
      yield gzipSync(TEXT).subarray(0, 50);
      throw new Error('disk gone');
    }
    const reading = (async () => {
      for await (const piece of decompressLayer(failing(), `${OCI}+gzip`)) assert.ok(piece);
    })();
    await assert.rejects(reading, { message: 'disk gone' });
  });
});

describe('layer reading', () => {
  const blob = gzipSync(TEXT);
  const digest = 'sha256:ee80ac3c5aca4ae4ff5ae4b4dcae7a05bc3ee8d1bd6e4bb1c0ebd9d8c0f0d4b3';
  const source = { blob: { open: () => pieces(blob, 100) }, mediaType: `${OCI}+gzip`, digest, diffId: digest };

  it('refuses a blob or tar of another digest, naming both', async () => {
    await assert.rejects(
      readLayer(source, 1e6, () => undefined),
      { code: 'ERR_EVIDENCE_DIGEST' },
    );
  });

  it('stops at its limit', async () => {
    await assert.rejects(
      readLayer(source, 100, () => undefined),
      { code: 'ERR_EVIDENCE_LIMIT' },
    );
  });
});
