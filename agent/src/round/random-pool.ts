const POOL_BYTES = 1024;

/**
 * Gives random bytes out of a block that is drawn at once: asking the generator takes a hundred times as long. For what
 * must differ and may be known, never for keys or secrets. No byte is given twice.
 */
export function createRandomPool(draw: (size: number) => Buffer): (size: number) => Buffer {
  let pool: Buffer = Buffer.alloc(0);
  return (size) => {
    if (size > POOL_BYTES) return draw(size);
    if (pool.length < size) pool = draw(POOL_BYTES);
    const bytes = pool.subarray(0, size);
    pool = pool.subarray(size);
    return bytes;
  };
}
