/** One package as an SBOM lists it: the builder's word. */
export interface SbomPackage {
  /** As written; null where the SBOM gives none. */
  readonly purl: string | null;
  readonly name: string;
  readonly version: string | null;
  /** CycloneDX group, where there is one. */
  readonly group?: string;
  /** CycloneDX component type (`library`, `application`, `operating-system`, `file`, …); for SPDX the primary purpose. */
  readonly componentType: string;
  /** Properties that tell how the tool found the package, such as `SrcName` or `PkgType`, by their last name part. */
  readonly properties?: Readonly<Record<string, string>>;
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
  readonly packages: readonly SbomPackage[];
}
