const SOURCES = 'c cc cpp cxx go h hh hpp inc rs vala';
const SCRIPTS = 'cjs cts js jsx map mjs mts ts tsx py pyc pyi pyx rb rbs erb rhtml pl pm ph pod php lua tcl el elc';
const PAGES = 'css htm html less scss xhtml adoc markdown md mo po pot rdoc ri rst txt';
const SETTINGS = 'asc cnf conf crt csv desktop pem properties toml xml xsd xsl yaml yml';
const OTHERS = 'gif ico jpeg jpg png svg otf ttf woff woff2 bz2 gz xz zst';

/**
 * Extensions of text, sources, documents, pictures and compressed data. A file of a package that is called so is not looked
 * into for what compilers wrote into it, whatever its mode: packages have tens of thousands of them, and no programs. None is
 * a number: programs are called after versions.
 */
export const QUIET_EXTENSIONS: ReadonlySet<string> = new Set(
  [SOURCES, SCRIPTS, PAGES, SETTINGS, OTHERS].flatMap((extensions) => extensions.split(' ')),
);

/** Whether a name has one of these extensions, in just this form. */
export function isQuiet(name: string): boolean {
  const dot = name.lastIndexOf('.');
  return dot !== -1 && QUIET_EXTENSIONS.has(name.slice(dot + 1));
}
