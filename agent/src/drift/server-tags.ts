/** Tags whose first letters are enough, among random bytes too. */
const LONG_TAG =
  /<\?php|<jsp:|<cfscript|<script[^>]{0,64}(?:runat\s{0,8}=|language\s{0,8}=\s{0,8}["']?php)|<!--#\s{0,8}(?:exec|include)\b/i;

/** What `<?` begins that no PHP program does: XML, its processing instructions, wildcards of Java, signs that start no statement. */
const NO_PHP =
  '(?!xml|[>),\\]:?]|\\s{0,8}(?:extends|super)\\b|[a-z][\\w.-]{0,64}(?:\\s{1,8}[\\w:.-]{1,64}\\s{0,8}=\\s{0,8}(?:"[^"<>]{0,400}"|\'[^\'<>]{0,400}\')){0,12}\\s{0,8}\\?>)';
const PRINTABLE = '[\\t\\n\\r -~]';
const SHORT_TAG = new RegExp(`<\\?${NO_PHP}(?:${PRINTABLE}{4}|${PRINTABLE}{1,3}\\?>)`, 'i');
/** Among bytes that are no text two letters turn up by chance: there something of a program must follow. */
const SHORT_TAG_AMONG_BYTES = new RegExp(
  `<\\?${NO_PHP}(?=${PRINTABLE}{10})(?=(?:(?!\\?>)${PRINTABLE}){0,64}?(?:[\\w)]\\s{0,4}\\(|\\$[\\w{]|\`|//|/\\*|\\b(?:echo|include|require|print)\\b))`,
  'i',
);

/** Of ASP, JSP and the like; not a place holder such as `<%s>`. */
const OPENING = /<%(?![-+ #\d.$]{0,16}l{0,2}[a-z][>:,|@])[\t\n\r -~]{4}/i;
/** With these it is one although its end is further on. */
const LONG_OPENING = /<%[@=!][\t\n\r -~]{6}/;
const MIN_TAG_CHARS = 6;
const TEXT_AMONG_BYTES = /[\t\n\r -~]{8,}/g;

/** Whether bytes (latin1) hold a server-side tag: an interpreter that is pointed at the file runs what stands in it. */
export function hasServerTag(text: string): boolean {
  if (LONG_TAG.test(text)) return true;
  if (text.includes('\0')) {
    return SHORT_TAG_AMONG_BYTES.test(text) || (text.match(TEXT_AMONG_BYTES) ?? []).some(hasClosedTag);
  }
  return SHORT_TAG.test(text) || LONG_OPENING.test(text) || hasClosedTag(text);
}

/** Whether a tag that the beginning of a file opens ends in its last bytes. */
export function hasTagAcross(head: string, tail: string): boolean {
  return !head.includes('\0') && OPENING.test(head) && tail.includes('%>');
}

/** Whether bytes begin with a server-side tag. */
export function startsWithServerTag(text: string): boolean {
  const start = text
    .slice(0, 512)
    .replace(/^\xef\xbb\xbf/, '')
    .trimStart();
  return /^<[?%!sjc]/i.test(start) && [LONG_TAG, SHORT_TAG, LONG_OPENING].some((tag) => tag.exec(start)?.index === 0);
}

function hasClosedTag(text: string): boolean {
  const opening = OPENING.exec(text);
  return opening !== null && text.includes('%>', opening.index + MIN_TAG_CHARS);
}
