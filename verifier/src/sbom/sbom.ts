/** One package as an SBOM lists it: the builder's word. */
export interface SbomPackage {
  /** As written; null where the SBOM gives none. */
  readonly purl: string | null;
  readonly name: string;
  readonly version: string | null;
  /** CycloneDX group, where there is one. */
  readonly group?: string;
  /** True where the SBOM says that the component is optional at run time: development dependencies, say. */
  readonly optional?: boolean;
  /** purl of the operating system's package that owns it, where the SBOM says so. */
  readonly ownedBy?: string;
  /** Source package that it was built from, where the tool names it; the version is null where the tool leaves it out. */
  readonly source?: { readonly name: string; readonly version: string | null };
  /** True where the tool says that the row stands for a source package and nothing installed. */
  readonly isSource?: boolean;
  /** True where it is what the SBOM is about: it counts where it is there, and is not missed where it is not. */
  readonly isSubject?: boolean;
  /** Files that the tool names as evidence, as written. */
  readonly paths: readonly string[];
}

/** What an SBOM says, whatever its format. Trusted only as far as the statement that carried it. */
export interface SbomDocument {
  readonly format: 'cyclonedx' | 'spdx';
  readonly specVersion: string;
  /** Name and version of the tools that made it: informative only. */
  readonly tools: readonly string[];
  /** The operating system, where it is named. */
  readonly distro: { readonly id: string; readonly version: string } | null;
  /** False where it says of itself that it is not complete; only CycloneDX can say so. */
  readonly complete: boolean;
  /** Never empty, and never only the subject. Files, operating systems and whole images are left out. */
  readonly packages: readonly SbomPackage[];
}
