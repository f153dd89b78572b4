import type { DriftEntryType } from '@holdfast/evidence/documents';
import type { DriftReason } from './drift-reason.ts';

/**
 * Where applications keep what they write while they run. A new entry below one of these is of no relevance unless
 * another rule names it. The list is part of the security claim: it changes only with the version of the rules.
 */
const DATA_PLACES = [
  '/tmp',
  '/var/tmp',
  '/var/log',
  '/var/cache',
  '/var/lib',
  '/var/spool',
  '/run',
  '/var/run',
  '/data',
];

const DATA_PLACE = new RegExp(`^(?:${DATA_PLACES.join('|')})(?=/|$)`);

/** Places below the data places whose content is code or trust, whatever its name. */
const CODE_PLACES: readonly (readonly [RegExp, DriftReason])[] = [
  [/^\/var\/lib\/(dpkg|rpm|pacman|opkg|apk|dnf|yum)(\/|$)/, 'packageDatabase'],
  [/^\/var\/cache\/apt\/(src)?pkgcache\.bin$|^\/(usr\/)?lib\/apk(\/|$)/, 'packageDatabase'],
  [/^\/usr\/(lib\/sysimage|share)\/rpm(\/|$)/, 'packageDatabase'],
  [/^\/var\/spool\/(cron|at|anacron)(\/|$)/, 'scheduledTask'],
  [/^\/(var\/)?run\/(systemd|udev)(\/|$)/, 'serviceUnit'],
  [/^\/var\/lib\/systemd(\/|$)/, 'serviceUnit'],
  [/^\/var\/lib\/ca-certificates(\/|$)/, 'certificateStore'],
];

/** Directories that make what lies in them code, wherever they are. */
const CODE_DIRECTORIES: readonly (readonly [RegExp, DriftReason])[] = [
  [
    /\/(site-packages|dist-packages|node_modules|__pycache__|WEB-INF|META-INF|cgi-bin|gems|vendor)(\/|$)/,
    'interpretedCode',
  ],
  [/\/\.git\/(hooks\/|config$)/, 'script'],
  [/\/\.ssh(\/|$)|^\/etc\/ssh(\/|$)/, 'credentials'],
  [
    /^\/etc\/((passwd|shadow|group|gshadow|sudoers|doas\.conf|pam\.conf|hosts\.equiv|krb5\.keytab)$|(sudoers\.d|doas\.d|pam\.d|polkit-1|security)(\/|$))/,
    'credentials',
  ],
  [/^\/etc\/(profile|bash\.bashrc|bashrc|environment|zshenv|zshrc|zprofile|csh\.\w+)$/, 'shellStartup'],
  [/^\/etc\/(profile\.d|bash|zsh|fish|environment\.d)(\/|$)/, 'shellStartup'],
  [/^\/etc\/(ld\.so\.conf(\.d)?|ld-musl-\w+\.path)(\/|$)/, 'preload'],
  [/\/\.(config|local)\/(systemd|autostart)(\/|$)/, 'serviceUnit'],
  [/^\/etc(\/|$)/, 'configuration'],
  [/^\/etc\/(ssl|pki|ca-certificates)(\/|$)|^\/usr\/(local\/)?share\/(ca-certificates|pki)(\/|$)/, 'certificateStore'],
  [/^\/usr\/(local\/)?(lib(64)?|share)?\/?ssl\/(certs\/|cert\.pem$)/, 'certificateStore'],
  [/^\/etc\/cron|^\/etc\/(ana)?crontab$|^\/etc\/periodic(\/|$)/, 'scheduledTask'],
  [/^\/etc\/(systemd|init\.d|init|runit|s6|supervisor|xinetd\.d)(\/|$)|^\/(usr\/)?lib\/systemd(\/|$)/, 'serviceUnit'],
];

/** Names that an interpreter, a linker or a login picks up by themselves. */
const SPECIAL_NAMES: ReadonlyMap<string, DriftReason> = new Map([
  ['.bashrc', 'shellStartup'],
  ['.bash_profile', 'shellStartup'],
  ['.bash_login', 'shellStartup'],
  ['.bash_logout', 'shellStartup'],
  ['.bash_aliases', 'shellStartup'],
  ['.profile', 'shellStartup'],
  ['.shinit', 'shellStartup'],
  ['.zshrc', 'shellStartup'],
  ['.zshenv', 'shellStartup'],
  ['.zprofile', 'shellStartup'],
  ['.zlogin', 'shellStartup'],
  ['.kshrc', 'shellStartup'],
  ['.cshrc', 'shellStartup'],
  ['.tcshrc', 'shellStartup'],
  ['.login', 'shellStartup'],
  ['.inputrc', 'shellStartup'],
  ['cacerts', 'certificateStore'],
  ['jssecacerts', 'certificateStore'],
  ['cacert.pem', 'certificateStore'],
  ['ca-bundle.crt', 'certificateStore'],
  ['ca-bundle.pem', 'certificateStore'],
  ['ca-bundle.trust.crt', 'certificateStore'],
  ['ca-certificates.crt', 'certificateStore'],
  ['.forward', 'shellStartup'],
  ['.procmailrc', 'shellStartup'],
  ['.xprofile', 'shellStartup'],
  ['.xinitrc', 'shellStartup'],
  ['.screenrc', 'shellStartup'],
  ['.tmux.conf', 'shellStartup'],
  ['.k5login', 'credentials'],
  ['.google_authenticator', 'credentials'],
  ['.my.cnf', 'configuration'],
  ['pg_hba.conf', 'credentials'],
  ['.hgrc', 'configuration'],
  ['.condarc', 'configuration'],
  ['.bazelrc', 'configuration'],
  ['.gemrc', 'configuration'],
  ['.perlrc', 'interpretedCode'],
  ['.pryrc', 'interpretedCode'],
  ['.ghci', 'interpretedCode'],
  ['.ocamlinit', 'interpretedCode'],
  ['.sqliterc', 'interpretedCode'],
  ['.vimrc', 'interpretedCode'],
  ['.exrc', 'interpretedCode'],
  ['.emacs', 'interpretedCode'],
  ['.gdbinit', 'interpretedCode'],
  ['.lldbinit', 'interpretedCode'],
  ['.psqlrc', 'interpretedCode'],
  ['.irbrc', 'interpretedCode'],
  ['.pythonrc', 'interpretedCode'],
  ['.rprofile', 'interpretedCode'],
  ['.npmrc', 'configuration'],
  ['.yarnrc', 'configuration'],
  ['.pypirc', 'configuration'],
  ['pip.conf', 'configuration'],
  ['.gitconfig', 'configuration'],
  ['.wgetrc', 'configuration'],
  ['.curlrc', 'configuration'],
  ['.pam_environment', 'configuration'],
  ['.htaccess', 'configuration'],
  ['.user.ini', 'configuration'],
  ['php.ini', 'configuration'],
  ['web.config', 'configuration'],
  ['.env', 'configuration'],
  ['authorized_keys', 'credentials'],
  ['authorized_keys2', 'credentials'],
  ['.rhosts', 'credentials'],
  ['.shosts', 'credentials'],
  ['.netrc', 'credentials'],
  ['.pgpass', 'credentials'],
  ['ld.so.preload', 'preload'],
  ['ld.so.cache', 'preload'],
  ['crontab', 'scheduledTask'],
  ['makefile', 'interpretedCode'],
  ['rakefile', 'interpretedCode'],
  ['gemfile', 'interpretedCode'],
  ['dockerfile', 'interpretedCode'],
  ['package.json', 'packageManifest'],
  ['package-lock.json', 'packageManifest'],
  ['composer.json', 'packageManifest'],
  ['installed.json', 'packageManifest'],
  ['pom.properties', 'packageManifest'],
  ['pkg-info', 'packageManifest'],
]);

const PATTERNS = [...CODE_PLACES, ...CODE_DIRECTORIES];
/** Whether any of them fits: of most paths none does, and one look tells. */
const ANY_PATTERN = new RegExp(PATTERNS.map(([pattern]) => `(?:${pattern.source})`).join('|'));

const CODE_SUFFIXES =
  /\.(php\d?|phtml|pht|phps|inc|phar|jsp|jspx|jspf|asp|aspx|ashx|asmx|cfm|cgi|fcgi|shtml|shtm|stm|cshtml|vbhtml|ascx|svc|jhtml|jspa|jsw|jsv|ejs|ftl|twig|jinja2?|j2|hbs|pug|liquid|haml|pl|pm|t|py|pyw|pyc|pyo|pyz|pyx|pth|rb|erb|lua|luac|js|mjs|cjs|jsx|ts|mts|cts|tsx|wasm|sh|bash|zsh|ksh|csh|tcsh|fish|tcl|awk|groovy|gvy|kts|scala|clj|class|jar|war|ear|par|sar|nar|jpi|hpi|rar|jmod|whl|egg|gem|exe|dll|com|bat|cmd|ps1|psm1|vbs|wsf|ko|bpf|ebpf|o|a|el|elc|scm|r|jl|ex|exs|beam|erl|hs|ipynb|pickle|pkl|xs|nse|applescript|desktop|apk|deb|rpm|dylib|swf)$/i;
/** Those that are the last part of a host's name or of a number too: logs and caches are called after such. */
const ALSO_IN_OTHER_NAMES = /\.(com|pl|sh|pm|r|t|a|o)$/i;
const SHARED_OBJECT = /\.so(\.[0-9][0-9a-zA-Z.]*)?$/;
const PACKAGE_DIRECTORY = /(\.(dist-info|egg-info)|\/conda-meta)(\/|$)/;
const MANIFEST_SUFFIXES = /\.(gemspec|deps\.json|nuspec|egg-link)$/i;

/** Where links lead to programs and libraries by which name they are asked for. */
const PROGRAM_PLACE =
  /^\/(usr\/(local\/)?)?(s?bin|games|lib(32|64|x32|exec)?)(\/|$)|^\/usr$|\/s?bin\/[^/]+$|^\/etc\/alternatives\//;

/** Whether programs, libraries or modules are looked up at a path (latin1, absolute). */
export function isProgramPlace(path: string): boolean {
  return PROGRAM_PLACE.test(path) || SHARED_OBJECT.test(path);
}

/** Logs take in what strangers send and grow at their end: there only the beginning counts. */
export function isLog(path: string): boolean {
  return path.startsWith('/var/log/');
}

/** Caches hold what others made, pages and scripts for a browser among it. */
export function isCache(path: string): boolean {
  return path.startsWith('/var/cache/');
}

/** Whether a path (latin1, absolute) is or lies below a declared data place. Returns that place. */
export function findDataPlace(path: string): string | undefined {
  return DATA_PLACE.exec(path)?.[0];
}

/** Reasons that a path and the type of what lies there give, in no order and without repetition. */
export function classifyName(path: string, type: DriftEntryType = 'file'): DriftReason[] {
  const reasons = new Set<DriftReason>();
  if (ANY_PATTERN.test(path)) {
    for (const [pattern, reason] of PATTERNS) if (pattern.test(path)) reasons.add(reason);
  }
  const name = path.slice(path.lastIndexOf('/') + 1);
  const special = SPECIAL_NAMES.get(name.toLowerCase());
  if (special !== undefined) reasons.add(special);
  const isNamedByApplication = isLog(path) || isCache(path);
  // A directory is no code by its suffix; what lies in it is looked at by itself.
  if (type !== 'directory') {
    const isOther = isNamedByApplication && ALSO_IN_OTHER_NAMES.test(name);
    if (CODE_SUFFIXES.test(name) && !isOther) reasons.add('interpretedCode');
    if (SHARED_OBJECT.test(name) && !isNamedByApplication) reasons.add('sharedObject');
  }
  if (PACKAGE_DIRECTORY.test(path) || MANIFEST_SUFFIXES.test(name)) reasons.add('packageManifest');
  return [...reasons];
}
