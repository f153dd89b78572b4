/**
 * Lines that are a program by themselves, at the left margin: of a stack trace, which shows lines of programs too, the
 * margin holds other things. Each has a bound, so that a long line costs no more than a short one.
 */
const ALONE: readonly RegExp[] = [
  // Python. `import x` alone says nothing: it may as well be a word of a log, and does nothing by itself.
  /^import[ \t]+[\w.]{1,80}(?:[ \t]+as[ \t]+\w{1,80})?[ \t]*;/m,
  /^from[ \t]+[\w.]{1,80}[ \t]+import[ \t]+[\w*, \t]{1,200};/m,
  /^(?:\w{1,80}[ \t]*=[ \t]*)?__import__[ \t]*\(/m,
  /^if[ \t]+__name__[ \t]*==/m,
  // Calls that run what they are given, in several languages.
  /^(?:eval|exec|system|execfile|spawn)\(|^(?:eval|exec)[ \t]*["'`$]/m,
  /^(?:os|io|subprocess|posix|runpy|ctypes)\.\w{1,40}[ \t]*\(/m,
  /^(?:loadstring|dofile|assert[ \t]*\([ \t]*load\w{0,10})[ \t]*\(/m,
  // JavaScript. A trace of Node shows the line at the margin, below the name of the file and the line's number.
  /(?<!:\d{1,7}\r?\n)^(?:(?:var|let|const)[ \t]+(?:[\w$]{1,80}|\{[^}\n]{0,200}\})[ \t]*=[ \t]*(?:await[ \t]+import|require)[ \t]*\(|require[ \t]*\([ \t]*['"`])/m,
  /(?<!:\d{1,7}\r?\n)^import[ \t]*(?:['"][^'"\n]{1,200}['"]|[\w*{$][^\n'"();]{0,300}from[ \t]*['"])/m,
  /^[!;+~(]{0,4}\(?(?:async[ \t]+)?(?:function[ \t]*\(|\(\)[ \t]*=>[ \t]*\{)/m,
  // Perl and Ruby, Lua.
  /^use[ \t]+(?:strict|warnings|utf8|v?5[\d.]{0,10}|Socket|POSIX|Cwd|IO|Fcntl|Errno|[A-Z]\w{0,40}::[\w:]{1,80})\b[^\n;]{0,200};/m,
  /^require[ \t]+['"][\w./:-]{1,200}['"]/m,
  /^local[ \t]+\w{1,80}[ \t]*=[ \t]*(?:require|loadstring|assert|io\.\w|os\.\w)/m,
];

const COMMAND =
  '(?:cd|wget|curl|chmod|chown|mkdir|rm|cp|mv|tar|echo|printf|cat|base64|nohup|sudo|sh|bash|python[\\d.]{0,4}|perl|nc|ncat|socat|pkill|killall|crontab|apt|apt-get|apk|yum|dnf|pip3?|export|sleep)\\b';
const CONDITION = '(?:(?:if|while|until)[ \\t]+(?:!|\\[|:|true\\b|test\\b|read\\b)|for[ \\t]+\\w{1,40}[ \\t]+in\\b)';

/** Shell: a command after a command, one that takes the place of the shell, a socket of bash. */
const SHELL: readonly RegExp[] = [
  new RegExp(
    `^(?:${COMMAND}|${CONDITION})[^\\n]{0,300}?(?:;|&&|\\|\\|?|\\$\\()[ \\t]*(?:${COMMAND}|(?:exec|do|then)\\b|\\.{0,2}\\/[\\w.])`,
    'm',
  ),
  /^exec[ \t]+(?:\S{1,80}[ \t]+)?(?:\.{0,2}\/|\d{1,3}<)/m,
  /^[^\n]{0,300}[<>&][ \t]*\/dev\/(?:tcp|udp)\//m,
];

/** Lines that programs have and other texts may have too: two kinds of them in one text are a program. */
const TOGETHER: readonly RegExp[] = [
  /^import[ \t]+[\w.]{1,80}(?:[ \t]+as[ \t]+\w{1,80})?(?:[ \t]*,[ \t]*[\w.]{1,80}(?:[ \t]+as[ \t]+\w{1,80})?){0,20}[ \t]*(?:#[^\n]{0,200})?\r?$/m,
  /^from[ \t]+[\w.]{1,80}[ \t]+import[ \t]+[\w*(]/m,
  /^(?:async[ \t]+)?def[ \t]+\w{1,80}[ \t]*\(/m,
  /^class[ \t]+\w{1,80}[ \t]*(?:\([\w., =]{0,200}\)[ \t]*)?[:{]/m,
  /^(?:export[ \t]+)?(?:async[ \t]+)?function[ \t]*[\w$]{0,80}[ \t]*\(/m,
  /^(?:let|var|const)[ \t]+[\w$]{1,80}[ \t]*=/m,
  /^my[ \t]+[$@%(]/m,
  /^local[ \t]+\w{1,80}[ \t]*=/m,
  /^[\w.$]{1,80}\([^\n]{0,400}\);?[ \t]*\r?$/m,
  /^\w{1,80}[ \t]*\(\)[ \t]*\{/m,
  /^(?:wget|curl|chmod|nohup|\.\/[\w.-]{1,80})[ \t][^\n]{0,300}$/m,
];

/** A page or a document, in which lines of programs are shown or run by whoever reads it. A shell does not mind. */
const MARKUP = /^(?:\xef\xbb\xbf)?\s{0,64}<(?:!doctype|html|head|body|svg|rss|feed|\?xml)\b/i;

/** Whether a text (latin1) has lines of a program: what a chosen interpreter would run although nothing else says so. */
export function hasProgramLines(text: string): boolean {
  if (matchesAny(SHELL, text)) return true;
  if (MARKUP.test(text)) return false;
  return matchesAny(ALONE, text) || TOGETHER.filter((pattern) => pattern.test(text)).length > 1;
}

/** The same of the first line that is not empty alone, for texts that take in what strangers send. */
export function startsAsProgram(text: string): boolean {
  const first = /^(?:[ \t]{0,64}\r?\n){0,64}([^\n]{1,1000})/.exec(text)?.[1] ?? '';
  return matchesAny(SHELL, first) || matchesAny(ALONE, first);
}

function matchesAny(patterns: readonly RegExp[], text: string): boolean {
  return patterns.some((pattern) => pattern.test(text));
}
