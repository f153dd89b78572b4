import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { whyNoContainerd } from '@holdfast/scripts';
import { missingSwtpm } from '../support/swtpm.ts';
import { type ExpectedFinding, type ScenarioContainer, sha256 } from './scenario-container.ts';
import { describeDebianImage } from './scenario-images.ts';
import { type ScenarioWorld, startScenarioWorld } from './scenario-world.ts';

const skip = missingSwtpm() ?? (await whyNoContainerd()) ?? false;
const run = promisify(execFile);
const STATUS = '/var/lib/dpkg/status';
const SITE_PACKAGES = '/opt/venv/lib/python3.11/site-packages';
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const OLD_CA = '-----BEGIN CERTIFICATE-----\nb2xk\n-----END CERTIFICATE-----\n';
const NEW_CA = '-----BEGIN CERTIFICATE-----\nbmV3\n-----END CERTIFICATE-----\n';

describe('packages that change at run time', { skip, timeout: 300_000 }, () => {
  let world: ScenarioWorld;
  let work: string;
  let container: ScenarioContainer;

  before(async () => {
    work = await mkdtemp(join(tmpdir(), 'holdfast-scenario-'));
    world = await startScenarioWorld();
    const entries = [
      { path: 'opt/venv/pyvenv.cfg', content: 'home = /usr/bin\n' },
      { path: SITE_PACKAGES.slice(1), type: 'directory' as const },
      { path: BUNDLE.slice(1), content: OLD_CA },
      { path: 'usr/share/ca-certificates/old.crt', content: OLD_CA },
      { path: 'etc/ssl/certs/old.pem', type: 'symlink' as const, target: '/usr/share/ca-certificates/old.crt' },
    ];
    const { name } = await world.addImage(await describeDebianImage('debian', entries));
    container = await world.start(name);
  });
  after(async () => {
    await world?.close();
    await rm(work, { recursive: true, force: true });
  });

  /** purl of a package as the image's own database has it. */
  async function purlOf(name: string): Promise<string> {
    const query = `dpkg-query -W -f '\${Version} \${Architecture}' ${name}`;
    const [version = '', arch = ''] = (await container.run(query)).trim().split(' ');
    return `pkg:deb/debian/${name}@${version.replaceAll('+', '%2B')}?arch=${arch}`;
  }

  /** The finding for a file of other content, or a new one. */
  async function describeChange(code: string, path: string, before?: string): Promise<ExpectedFinding> {
    return { code, path, ...(before === undefined ? {} : { expected: before }), actual: await container.hash(path) };
  }

  it('1: a package that is installed is named with its program; uninstalled, what dpkg kept is named', async () => {
    const [status, old] = [await container.hash(STATUS), await container.hash(`${STATUS}-old`)];
    await container.copyIn(await buildPackage(work), '/tmp/tool.deb');
    await container.run(`cp ${STATUS}-old /tmp/old; dpkg -i /tmp/tool.deb; rm /tmp/tool.deb`);
    const info = '/var/lib/dpkg/info/holdfast-tool';
    const purl = 'pkg:deb/debian/holdfast-tool@1.2-3?arch=all';
    await container.expectFindings([
      { code: 'PACKAGE_ADDED', path: STATUS, purl, actual: '1.2-3' },
      await describeChange('EXECUTABLE_ADDED', '/usr/bin/holdfast-tool'),
      await describeChange('PACKAGE_DATABASE_MODIFIED', STATUS, status),
      await describeChange('PACKAGE_DATABASE_MODIFIED', `${STATUS}-old`, old),
      await describeChange('PACKAGE_DATABASE_MODIFIED', `${info}.list`),
      await describeChange('PACKAGE_DATABASE_MODIFIED', `${info}.md5sums`),
    ]);
    await container.run('dpkg --purge holdfast-tool');
    await container.expectFindings([await describeChange('PACKAGE_DATABASE_MODIFIED', `${STATUS}-old`, old)]);
    await container.run(`cat /tmp/old > ${STATUS}-old; rm /tmp/old`);
    await container.expectAffirming();
  });

  it('1: a package that was installed and removed within a moment leaves its trace in the database', async () => {
    const old = await container.hash(`${STATUS}-old`);
    await container.copyIn(await buildPackage(work), '/tmp/tool.deb');
    await container.run(
      `cp ${STATUS}-old /tmp/old; dpkg -i /tmp/tool.deb; dpkg --purge holdfast-tool; rm /tmp/tool.deb`,
    );
    // Who also puts the old copy back has left a program that ran and is gone: what ran is the kernel's to say (IMA).
    await container.expectFindings([await describeChange('PACKAGE_DATABASE_MODIFIED', `${STATUS}-old`, old)]);
    await container.run(`cat /tmp/old > ${STATUS}-old; rm /tmp/old`);
    await container.expectAffirming();
  });

  it('2: a wheel that is unpacked into a virtual environment is named with each of its files', async () => {
    const files = createWheel();
    await unpack(work, files, container, SITE_PACKAGES);
    const findings = Object.entries(files).map(([name, content]) => ({
      code: 'EXECUTABLE_ADDED',
      path: `${SITE_PACKAGES}/${name}`,
      actual: sha256(content),
    }));
    await container.expectFindings([
      ...findings,
      {
        code: 'PACKAGE_ADDED',
        path: `${SITE_PACKAGES}/demo_tool-2.1.dist-info/METADATA`,
        purl: 'pkg:pypi/demo-tool@2.1',
        actual: '2.1',
      },
      { code: 'DIRECTORY_ADDED', path: `${SITE_PACKAGES}/demo_tool` },
      { code: 'DIRECTORY_ADDED', path: `${SITE_PACKAGES}/demo_tool-2.1.dist-info` },
    ]);
    await container.run(`rm -r ${SITE_PACKAGES}/demo_tool*`);
    await container.expectAffirming();
  });

  it('5: removed files of packages are named one by one with their owner', async () => {
    const [coreutils, base] = [await purlOf('coreutils'), await purlOf('base-files')];
    const [tac, issue] = [await container.hash('/usr/bin/tac'), await container.hash('/etc/issue')];
    await container.run('mv /usr/bin/tac /etc/issue /tmp');
    await container.expectFindings([
      { code: 'OWNED_FILE_REMOVED', path: '/usr/bin/tac', purl: coreutils, expected: tac },
      { code: 'CONFIG_MODIFIED', path: '/etc/issue', purl: base, expected: issue },
      { code: 'EXECUTABLE_ADDED', path: '/tmp/tac', actual: tac },
    ]);
    await container.run('mv /tmp/tac /usr/bin; mv /tmp/issue /etc');
    await container.expectAffirming();
  });

  it('5: a directory that is removed, or removed and made again, is named with all that it hides', async () => {
    const directory = '/usr/share/doc/gcc-12-base';
    const purl = await purlOf('gcc-12-base');
    const hidden = await Promise.all(
      (await container.run(`find ${directory} -type f`))
        .trim()
        .split('\n')
        .map(async (path) => ({
          code: 'OWNED_FILE_REMOVED',
          path,
          purl,
          expected: await container.hash(path),
        })),
    );
    await container.run(`tar -cpf /tmp/doc.dat -C / .${directory}; rm -r ${directory}`);
    await container.expectFindings([{ code: 'OWNED_FILE_REMOVED', path: directory, purl }, ...hidden]);
    await container.run(`mkdir ${directory}; touch -d @0 ${directory}`);
    await container.expectFindings([{ code: 'DIRECTORY_REPLACED', path: directory, purl }, ...hidden]);
    await container.run('tar -xpf /tmp/doc.dat -C /');
    await container.expectAffirming();
  });

  it('6: an edited conffile is configuration, with its owner and both hashes', async () => {
    const before = await container.hash('/etc/adduser.conf');
    await container.run(
      'cp -p /etc/adduser.conf /tmp/keep; echo DSHELL=/tmp/x >> /etc/adduser.conf; echo x > /etc/new',
    );
    await container.expectFindings([
      { ...(await describeChange('CONFIG_MODIFIED', '/etc/adduser.conf', before)), purl: await purlOf('adduser') },
      await describeChange('CONFIG_MODIFIED', '/etc/new'),
    ]);
    await container.run('rm /etc/new; cp -p /tmp/keep /etc/adduser.conf');
    await container.expectAffirming();
  });

  it('7: CA certificates that are added and removed are named', async () => {
    const store = '/usr/local/share/ca-certificates';
    await container.run(`mkdir -p ${store}; printf '%s' '${NEW_CA}' | tee ${store}/new.crt >> ${BUNDLE}`);
    await container.run('rm /etc/ssl/certs/old.pem');
    await container.expectFindings([
      await describeChange('CA_STORE_MODIFIED', `${store}/new.crt`),
      { code: 'CA_STORE_MODIFIED', path: store },
      await describeChange('CA_STORE_MODIFIED', BUNDLE, sha256(OLD_CA)),
      { code: 'CA_STORE_MODIFIED', path: '/etc/ssl/certs/old.pem', expected: '/usr/share/ca-certificates/old.crt' },
    ]);
    await container.run(`rm -r ${store}; printf '%s' '${OLD_CA}' > ${BUNDLE}`);
    await container.run('ln -s /usr/share/ca-certificates/old.crt /etc/ssl/certs/old.pem');
    await container.expectAffirming();
  });

  it('10: a changed shared library is named with its owner although the database says nothing', async () => {
    const path = (await container.run('readlink -f /usr/lib/*/libz.so.1')).trim();
    const before = await container.hash(path);
    const kept = join(work, 'libz');
    await run('cp', [container.toHostPath(path), kept]);
    const edit = `printf '\\1' | dd of=${path} bs=1 seek=4096 conv=notrunc status=none`;
    await container.run(`touch -r ${path} /tmp/times; ${edit}; touch -r /tmp/times ${path}; rm /tmp/times`);
    const purl = await purlOf('zlib1g');
    await container.expectFindings([{ ...(await describeChange('OWNED_FILE_MODIFIED', path, before)), purl }]);
    await container.copyIn(kept, path);
    await container.expectAffirming();
  });

  it('12: a package that the database hides is named', async () => {
    const before = await container.hash(STATUS);
    const purl = await purlOf('tar');
    const version = decodeURIComponent(/@(.*)\?/.exec(purl)?.[1] ?? '');
    await container.run(`cp ${STATUS} /tmp/keep; sed -i '/^Package: tar$/,/^$/d' ${STATUS}`);
    const changed = () => describeChange('PACKAGE_DATABASE_MODIFIED', STATUS, before);
    await container.expectFindings([
      await changed(),
      { code: 'PACKAGE_REMOVED', path: STATUS, purl, expected: version },
    ]);
    await container.run(`cat /tmp/keep > ${STATUS}`);
    await container.expectAffirming();
  });

  it('12: a package that the database invents is named, behind blank lines and under a name that is taken', async () => {
    const before = await container.hash(STATUS);
    const changed = () => describeChange('PACKAGE_DATABASE_MODIFIED', STATUS, before);
    const stanza = (name: string) =>
      `printf 'Package: ${name}\\nStatus: install ok installed\\nVersion: 9-1\\nArchitecture: amd64\\n\\n' >> ${STATUS}`;
    await container.run(`cp ${STATUS} /tmp/keep; printf '\\n\\n \\n' >> ${STATUS}; ${stanza('fake')}`);
    const fake = { code: 'PACKAGE_ADDED', path: STATUS, purl: 'pkg:deb/debian/fake@9-1?arch=amd64', actual: '9-1' };
    await container.expectFindings([await changed(), fake]);
    await container.run(`cat /tmp/keep > ${STATUS}; ${stanza('tar')}`);
    await container.expectFindings([
      await changed(),
      { ...fake, purl: 'pkg:deb/debian/tar@9-1?arch=amd64' },
      // A database that contradicts itself is not whole, which both the scan and the inventory say.
      { code: 'SCAN_INCOMPLETE', actual: `duplicate ${STATUS}` },
      { code: 'SCAN_INCOMPLETE', actual: `inventory:duplicate ${STATUS}` },
    ]);
    await container.run(`cat /tmp/keep > ${STATUS}`);
    await container.expectAffirming();
  });
});

/** A package with one script, made by dpkg-deb. */
async function buildPackage(work: string): Promise<string> {
  const root = join(work, 'tool');
  await mkdir(join(root, 'DEBIAN'), { recursive: true });
  await mkdir(join(root, 'usr/bin'), { recursive: true });
  const fields = {
    Package: 'holdfast-tool',
    Version: '1.2-3',
    Architecture: 'all',
    Maintainer: 'nobody <n@example.org>',
    Description: 'a tool',
  };
  const control = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  await writeFile(join(root, 'DEBIAN/control'), control.join(''));
  await writeFile(join(root, 'usr/bin/holdfast-tool'), '#!/bin/sh\n', { mode: 0o755 });
  const deb = join(work, 'tool.deb');
  await run('dpkg-deb', ['--root-owner-group', '--build', root, deb]);
  return deb;
}

/** Content of a wheel by name, with the RECORD that an installer leaves (PyPA, "Recording installed projects"). */
function createWheel(): Record<string, string> {
  const info = 'demo_tool-2.1.dist-info';
  const files: Record<string, string> = {
    'demo_tool/__init__.py': 'def run():\n    return 1\n',
    [`${info}/METADATA`]: 'Metadata-Version: 2.1\nName: Demo_Tool\nVersion: 2.1\n',
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/INSTALLER`]: 'pip\n',
  };
  const rows = Object.entries(files).map(([name, content]) => {
    const digest = Buffer.from(sha256(content), 'hex').toString('base64url');
    return `${name},sha256=${digest},${content.length}\n`;
  });
  return { ...files, [`${info}/RECORD`]: `${rows.join('')}${info}/RECORD,,\n` };
}

async function unpack(
  work: string,
  files: Record<string, string>,
  container: ScenarioContainer,
  directory: string,
): Promise<void> {
  const root = join(work, 'wheel');
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), content);
  }
  await run('sh', ['-c', 'cp -r "$0"/* "$1"', root, container.toHostPath(directory)]);
}
