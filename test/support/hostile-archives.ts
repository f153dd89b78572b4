import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Archives that are small and unpack to much, by name: a jar of one gibibyte of nothing, jars in jars six deep, a jar with
 * 100,000 entries, and manifests that are deep or long. Made by Python: another packer than the code under test knows.
 */
export function makeHostileArchives(): Map<string, Buffer> {
  const directory = mkdtempSync(join(tmpdir(), 'hf-bombs-'));
  try {
    execFileSync('/usr/bin/python3', ['-c', PROGRAM], { cwd: directory });
    return new Map(NAMES.map((name) => [name, readFileSync(join(directory, name))]));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const NAMES = ['bomb.jar', 'nested.jar', 'many.jar', 'deep.json', 'long.json'];

const PROGRAM = `
import io, zipfile
def pack(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, size_or_bytes in entries:
            if isinstance(size_or_bytes, bytes):
                archive.writestr(name, size_or_bytes)
            else:
                with archive.open(name, 'w', force_zip64=True) as entry:
                    for _ in range(size_or_bytes >> 20): entry.write(bytes(1 << 20))
    return out.getvalue()
bomb = pack([('inner.jar', 1 << 30), ('META-INF/MANIFEST.MF', 1 << 26)])
open('bomb.jar', 'wb').write(bomb)
nested = bomb
for level in range(6): nested = pack([('a.jar', nested), ('b.jar', nested)])
open('nested.jar', 'wb').write(nested)
open('many.jar', 'wb').write(pack([('x%d.jar' % i, b'') for i in range(100000)]))
open('deep.json', 'wb').write(b'[' * 3000000)
open('long.json', 'wb').write(b'{"name":"' + b'a' * 6000000 + b'"}')
`;
