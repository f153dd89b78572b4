import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTENT_HEAD_BYTES } from './classify-content.ts';
import { classifyEntry, type DriftFacts } from './classify-entry.ts';

const FILE = { mode: 0o644, uid: 0, gid: 0 };
const text = (content: string) => Buffer.from(content, 'latin1');

function added(path: string, content = 'plain words\n', mode = 0o644): DriftFacts {
  return { kind: 'added', path, entryType: 'file', after: { ...FILE, mode }, head: text(content) };
}

function modified(path: string, content = 'plain words\n'): DriftFacts {
  return { ...added(path, content), kind: 'modified', before: { ...FILE, entryType: 'file' } };
}

function attributes(after: object, before: object = {}): DriftFacts {
  const entryType = 'file';
  return {
    kind: 'attributes',
    path: '/x',
    entryType,
    after: { ...FILE, ...after },
    before: { ...FILE, entryType, ...before },
  };
}

function link(kind: 'added' | 'modified', path: string, before?: 'directory' | 'symlink'): DriftFacts {
  const was = before === undefined ? {} : { before: { ...FILE, entryType: before } };
  return { kind, path, entryType: 'symlink', after: { ...FILE, mode: 0o777 }, ...was };
}

const RELEVANT: [string, DriftFacts, string][] = [
  ['a web shell in an upload folder', added('/var/lib/app/uploads/x.php'), 'interpretedCode'],
  [
    'a web shell that calls itself a picture',
    added('/var/lib/app/uploads/x.jpg', 'GIF89a<?php system($_GET[1]);'),
    'script',
  ],
  ['a web shell below the document root', added('/var/www/html/uploads/x.png'), 'newEntry'],
  ['a cron file', added('/var/spool/cron/crontabs/root'), 'scheduledTask'],
  ['a cron file in /etc', added('/etc/cron.d/x'), 'scheduledTask'],
  ['a .pth in a virtual environment', added('/data/venv/lib/python3.11/site-packages/x.pth'), 'interpretedCode'],
  ['a .pth in a data place', added('/tmp/x.pth'), 'interpretedCode'],
  ['an ELF file without execute bits', added('/tmp/x', '\x7fELF\x02\x01'), 'elf'],
  ['a script without execute bits', added('/tmp/x', '#!/bin/sh\n'), 'script'],
  ['a script behind a byte order mark', added('/tmp/x', '\xef\xbb\xbf#!/bin/sh\n'), 'script'],
  ['a Python program without a name', added('/tmp/x.dat', '# c\nimport os\nos.system("id")\n'), 'script'],
  ['a file with an execute bit', added('/tmp/x', 'words', 0o755), 'executable'],
  ['a file with an execute bit for others only', added('/tmp/x', 'words', 0o641), 'executable'],
  ['a setuid file', added('/tmp/x', 'words', 0o4644), 'setuid'],
  ['a shared object by name', added('/tmp/libx.so.1.2', 'words'), 'sharedObject'],
  ['WebAssembly', added('/tmp/m', '\0asm\x01\0\0\0'), 'bytecode'],
  ['a Python cache file', added('/var/cache/x', '\xa7\r\r\n\0\0\0\0'), 'bytecode'],
  ['a Java class', added('/tmp/x', '\xca\xfe\xba\xbe'), 'bytecode'],
  ['an .htaccess in an upload folder', added('/var/lib/app/uploads/.htaccess'), 'configuration'],
  ['an SSH key list', added('/var/lib/postgresql/.ssh/authorized_keys'), 'credentials'],
  ['a login script of a service account', added('/var/lib/postgresql/.bashrc'), 'shellStartup'],
  ['a package database', modified('/var/lib/dpkg/status'), 'packageDatabase'],
  ['a new file of a package database', added('/var/lib/dpkg/info/hello.list'), 'packageDatabase'],
  ['a package database of rpm', modified('/usr/lib/sysimage/rpm/rpmdb.sqlite-wal'), 'packageDatabase'],
  ['a package database of apk below /usr', modified('/usr/lib/apk/db/installed'), 'packageDatabase'],
  ['a Java archive in a data place', added('/var/lib/jenkins/plugins/x.jpi'), 'interpretedCode'],
  ['a record of conda in a data place', added('/data/env/conda-meta/x-1.json', '{}'), 'packageManifest'],
  ['an npm package in a data place', added('/tmp/x/node_modules/a/readme'), 'interpretedCode'],
  ['a package manifest in a data place', added('/data/app/package.json', '{}'), 'packageManifest'],
  ['a CA certificate', added('/usr/local/share/ca-certificates/x.crt'), 'certificateStore'],
  ['a CA bundle', modified('/etc/ssl/certs/ca-certificates.crt'), 'certificateStore'],
  ['ld.so.preload', added('/etc/ld.so.preload', '/tmp/x'), 'preload'],
  ['a unit in /run', added('/run/systemd/system/x.service'), 'serviceUnit'],
  ['a user of /etc/passwd', modified('/etc/passwd'), 'configuration'],
  ['a template of the application', modified('/app/templates/index.html'), 'imageContent'],
  ['a log file that the image contains', modified('/var/log/dpkg.log'), 'imageContent'],
  ['a new file outside the data places', added('/app/model.bin'), 'newEntry'],
  ['a file that cannot be read', { ...added('/var/log/x'), head: undefined }, 'unreadable'],
  [
    'a new directory outside the data places',
    { kind: 'added', path: '/opt/x', entryType: 'directory', after: FILE },
    'newEntry',
  ],
  ['a device in a data place', { kind: 'added', path: '/tmp/sda', entryType: 'block', after: FILE }, 'device'],
  [
    'a socket outside the data places',
    { kind: 'added', path: '/srv/s', entryType: 'socket', after: FILE },
    'specialFile',
  ],
  [
    'a removed file',
    { kind: 'removed', path: '/bin/x', entryType: 'none', before: { ...FILE, entryType: 'file' } },
    'removed',
  ],
  [
    'an opaque directory',
    {
      kind: 'opaque',
      path: '/usr/x',
      entryType: 'directory',
      after: FILE,
      before: { ...FILE, entryType: 'directory' },
    },
    'opaque',
  ],
  [
    'a link that became a file',
    { ...modified('/usr/bin/x'), before: { ...FILE, entryType: 'symlink' } },
    'typeChanged',
  ],
  [
    'a mode alone',
    {
      kind: 'attributes',
      path: '/x',
      entryType: 'file',
      after: { ...FILE, mode: 0o666 },
      before: { ...FILE, entryType: 'file' },
    },
    'mode',
  ],
  [
    'an owner alone',
    {
      kind: 'attributes',
      path: '/x',
      entryType: 'file',
      after: { ...FILE, uid: 1 },
      before: { ...FILE, entryType: 'file' },
    },
    'owner',
  ],
  [
    'a capability that was taken away',
    {
      kind: 'attributes',
      path: '/x',
      entryType: 'file',
      after: FILE,
      before: { ...FILE, capability: '01', entryType: 'file' },
    },
    'capability',
  ],
  ['a capability on a new file', { ...added('/tmp/x'), after: { ...FILE, capability: '01' } }, 'capability'],
  ['an ACL alone', attributes({ xattrs: 'aa' }), 'xattrs'],
  ['an attribute that was taken away', attributes({}, { xattrs: 'aa' }), 'xattrs'],
  [
    'a web shell behind a picture',
    { ...added('/var/lib/app/uploads/x.jpg', '\xff\xd8'), tail: text('.. <?PHP x') },
    'script',
  ],
  ['a server-side include', added('/data/www/x.txt', '<!--#exec cmd="id" -->'), 'script'],
  ['a page of server-side includes', added('/data/www/x.shtml'), 'interpretedCode'],
  ['a web shell with a short tag', added('/var/lib/app/x.jpg', 'GIF89a<? system($_GET[0]); ?>'), 'script'],
  ['a web shell in a page', added('/var/lib/app/x.html', '<p><%= Runtime.exec(x) %>'), 'script'],
  ['a Java program without a name', added('/tmp/x', 'PK\x03\x04\x0a\0..META-INF/MANIFEST.MF'), 'bytecode'],
  [
    'a Python program packed into an archive',
    { ...added('/tmp/x', 'PK\x03\x04\x0a\0..a.txt'), tail: text('PK\x01\x02..__main__.py') },
    'bytecode',
  ],
  ['users', modified('/etc/passwd'), 'credentials'],
  ['rights of sudo', added('/etc/sudoers.d/x'), 'credentials'],
  ['a module of PAM', added('/etc/pam.d/x'), 'credentials'],
  ['settings of sshd', modified('/etc/ssh/sshd_config'), 'credentials'],
  ['a script of every login', added('/etc/profile.d/x.sh'), 'shellStartup'],
  ['the environment of every login', added('/etc/environment'), 'shellStartup'],
  ['the search path of libraries', added('/etc/ld.so.conf.d/x.conf'), 'preload'],
  ['the search path of libraries of musl', added('/etc/ld-musl-x86_64.path'), 'preload'],
  ['the CA store of Java', modified('/usr/lib/jvm/x/lib/security/cacerts'), 'certificateStore'],
  ['the CA store of certifi', added('/data/venv/certifi/cacert.pem'), 'certificateStore'],
  ['settings of a git work tree', added('/data/repo/.git/config'), 'script'],
  ['a link among programs', link('added', '/usr/local/bin/ls'), 'programLink'],
  ['a link in an environment of its own', link('added', '/data/venv/bin/python'), 'programLink'],
  ['a link in the place of a library directory', link('modified', '/usr/lib', 'directory'), 'opaque'],
  ['an alternative that leads elsewhere', link('modified', '/etc/alternatives/awk', 'symlink'), 'programLink'],
  ['a link to a library in a data place', link('added', '/tmp/libx.so.1'), 'programLink'],
  ['a name that only looks like a data place', added('/tmpx/y'), 'newEntry'],
];

for (const [name, facts, reason] of RELEVANT) {
  test(`relevant: ${name}`, () => {
    const reasons: string[] = classifyEntry(facts);
    assert.ok(reasons.includes(reason), `${reason} is not among ${reasons.join(', ')}`);
    assert.deepEqual(reasons, [...new Set(reasons)].sort());
  });
}

const IRRELEVANT: [string, DriftFacts][] = [
  ['a log file', added('/var/log/nginx/access.log', '1.2.3.4 - - [22/Nov/2026] "GET / HTTP/1.1" 200 5\n')],
  ['a rotated and packed log', added('/var/log/nginx/access.log.1.gz', '\x1f\x8b\x08\0')],
  ['a cache entry', added('/var/cache/nginx/a/bc/0123', 'KEY: http\n\0\0\x03')],
  ['a database page', added('/var/lib/mysql/ibdata1', '\0\0\0\0\0\x01binary')],
  ['a process number', added('/run/nginx.pid', '17\n')],
  ['a temporary file', added('/tmp/tmp.AbC123', 'half of an upload')],
  ['an uploaded picture', added('/var/lib/app/uploads/a.jpg', '\xff\xd8\xff\xe0\0\x10JFIF')],
  ['an empty file', added('/tmp/lock', '')],
  ['JSON', added('/var/lib/app/state.json', '{"import": "os", "class": "a"}')],
  ['a document in an archive', added('/var/lib/app/uploads/a.docx', 'PK\x03\x04..[Content_Types].xml')],
  ['XML', added('/var/lib/app/a.xml', '<?xml version="1.0"?><a/>')],
  ['a picture with an end', { ...added('/var/lib/app/uploads/a.jpg', '\xff\xd8'), tail: text('\xff\xd9') }],
  ['a link to data', link('added', '/var/lib/app/current')],
  ['settings of an application', added('/var/lib/app/app.conf', 'a = 1')],
  ['a socket', { kind: 'added', path: '/run/app.sock', entryType: 'socket', after: FILE }],
  ['a pipe', { kind: 'added', path: '/tmp/p', entryType: 'fifo', after: FILE }],
  ['a link', { kind: 'added', path: '/var/log/current', entryType: 'symlink', after: { ...FILE, mode: 0o777 } }],
  ['a directory', { kind: 'added', path: '/var/cache/a', entryType: 'directory', after: { ...FILE, mode: 0o2755 } }],
  [
    'a stack trace in a log',
    added('/var/log/app.log', '2026 ERROR\n  File "x.py", line 3, in <module>\n    import os failed\n'),
  ],
];

for (const [name, facts] of IRRELEVANT) {
  test(`not relevant: ${name}`, () => {
    assert.deepEqual(classifyEntry(facts), []);
  });
}

test('a name that is not relevant becomes so by content, and content by name', () => {
  assert.deepEqual(classifyEntry(added('/tmp/a', 'x')), []);
  assert.deepEqual(classifyEntry(added('/tmp/a.sh', 'x')), ['interpretedCode']);
  assert.deepEqual(classifyEntry(added('/tmp/a', '#!/bin/sh')), ['script']);
});

test('random bytes, as in pictures and packed files, are hardly ever taken for code', () => {
  let state = 0x9e3779b9;
  const random = () => {
    // xorshift32: what is found hangs on nothing but the rules.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  };
  const makeBytes = () => Buffer.from(Array.from({ length: CONTENT_HEAD_BYTES }, random));
  const taken = Array.from({ length: 300 }, () => ({ head: makeBytes(), tail: makeBytes() })).filter(
    (ends) => classifyEntry({ ...added('/var/lib/app/uploads/a.jpg'), ...ends }).length > 0,
  );
  assert.equal(taken.length, 0);
});
