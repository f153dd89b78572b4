/** How a finding reads to people and alerts. */
export type FindingSeverity = 'info' | 'warning' | 'contraindicated';

/** The four AR4SI tiers; `none` says that no statement can be made. */
export type AppraisalStatus = 'none' | 'affirming' | 'warning' | 'contraindicated';

interface FindingRule {
  readonly severity: FindingSeverity;
  /** The best status that the appraised thing can still have. */
  readonly ceiling: AppraisalStatus;
  readonly meaning: string;
}

const info = (meaning: string): FindingRule => ({ severity: 'info', ceiling: 'affirming', meaning });
const warning = (meaning: string): FindingRule => ({ severity: 'warning', ceiling: 'warning', meaning });
const undecided = (meaning: string): FindingRule => ({ severity: 'warning', ceiling: 'none', meaning });
const contraindicated = (meaning: string): FindingRule => ({
  severity: 'contraindicated',
  ceiling: 'contraindicated',
  meaning,
});

/**
 * Every finding that an appraisal can make, with its severity and the best status that it leaves. The table is closed:
 * docs/protocol.md has one row for each, made from `meaning`.
 */
export const FINDING_RULES = {
  // Identity, chain and TPM of a kube node.
  EK_NOT_ENDORSED: warning(
    "The EK is known by the operator's pin alone; no manufacturer's certificate vouches for it.",
  ),
  EK_WITHDRAWN: contraindicated('The trust file no longer pins the EK of this kube node.'),
  TRUST_EXPIRED: undecided('The trust file has expired, so nothing vouches for the EK.'),
  AK_REPLACED: warning('A new AK was enrolled under a known EK: the TPM was cleared or the agent lost its state.'),
  CHAIN_GAP: warning('The evidence chain has a gap: evidence between its parts is missing.'),
  CHAIN_FORK: contraindicated('Two different pieces of evidence claim the same place in one chain.'),
  TPM_ROLLBACK: contraindicated(
    'Counters or clock of the TPM went back under the same AK: its state was rolled back or cloned.',
  ),
  TPM_CLOCK_UNSAFE: warning('The TPM says that its clock may have gone back after a power loss.'),
  BOOT_SESSION_NEW: info('The kube node was booted since the last evidence.'),
  BOOT_SESSION_RESUMED: info('The TPM was suspended since the last evidence, and its PCRs go on.'),
  EVIDENCE_LOST: warning('The agent declares evidence that it lost.'),
  CLOCK_SKEW: info("The kube node's clock differs from the verifier's by more than a minute."),
  // Boot, IMA and kernel.
  BOOT_LOG_MISSING: warning('There is no boot event log, so nothing is known of how the kube node booted.'),
  BOOT_LOG_MISMATCH: contraindicated('The boot event log does not give the PCRs that the TPM quoted.'),
  BOOT_PCR_UNEXPLAINED: contraindicated('A PCR has a value although no event of the boot log explains it.'),
  BOOT_LOG_FORGED: contraindicated('An event of the boot log was renamed, moved or given other data.'),
  BOOT_LOG_IRREGULAR: warning('The boot log is not as firmware and boot loaders have to write it.'),
  BOOT_LOG_UNSUPPORTED: warning('The boot log has no SHA-256 digests, so it cannot be compared with the quote.'),
  BOOT_LOG_QUIRK: info('The boot log has a known oddity of firmware or boot loader.'),
  BOOT_NOT_REFERENCED: info('The measured boot was not compared with signed reference values.'),
  BOOT_REFERENCE_MISSING: warning('The policy wants signed reference values for the measured boot, and none applies.'),
  BOOT_IMAGE_UNEXPECTED: contraindicated('Another EFI image was started than the signed boot reference has.'),
  BOOT_CMDLINE_UNEXPECTED: contraindicated('Another kernel command line was measured than the boot reference has.'),
  BOOT_INITRD_UNEXPECTED: contraindicated('Another initrd was measured than the boot reference has.'),
  BOOT_SECTION_UNEXPECTED: contraindicated('Another section of the kernel image was measured than expected.'),
  BOOT_EVENT_UNEXPECTED: contraindicated('The boot measured something that the boot reference does not have.'),
  SECURE_BOOT_VARIABLES_UNEXPECTED: contraindicated('Secure Boot has other variables or authorities than expected.'),
  BOOT_PHASES_LOGGED: info('The operating system measured what its own log says, after the boot.'),
  BOOT_PHASES_ASSUMED: info('PCR 11 has the boot phases of systemd-pcrphase, of which no log tells.'),
  SECURE_BOOT_OFF: warning('Secure Boot is off, or firmware was in debug mode.'),
  SECURE_BOOT_UNPROVEN: warning('The boot log proves neither that Secure Boot is on nor that it is off.'),
  SECURE_BOOT_CONTRADICTION: contraindicated('The agent says another state of Secure Boot than was measured.'),
  CMDLINE_MISMATCH: contraindicated('The kernel tells another command line than the boot loader measured.'),
  CMDLINE_PARTLY_MEASURED: warning('Several command lines were measured, and the kernel tells one of them.'),
  CMDLINE_UNMEASURED: info('The boot log has no kernel command line.'),
  IMA_INACTIVE: warning('IMA does not measure what is executed: there is none, and PCR 10 is zero.'),
  IMA_CONTRADICTION: warning('Claims and quoted PCR 10 disagree on whether IMA measures into this TPM.'),
  IMA_LOG_MISSING: undecided('IMA is active, but its list could not be had.'),
  IMA_LOG_MISMATCH: contraindicated('No prefix of the IMA list gives the PCR 10 that the TPM quoted.'),
  IMA_BOOT_AGGREGATE: contraindicated('The IMA list begins with the boot of another machine or time.'),
  IMA_MEASURES_NOTHING: warning('The IMA list holds the boot aggregate alone: no policy measures what is executed.'),
  IMA_VIOLATIONS: warning('IMA measured files while they were being written, so their digests prove nothing.'),
  IMA_FILES_LIMITED: info('IMA measured more files than are kept: a file that was measured may not be known as such.'),
  AGENT_UNMEASURED: warning('IMA measured no file like one that the agent says it runs.'),
  AGENT_UNKNOWN: contraindicated('The agent runs a file that no signed list of its version has.'),
  AGENT_FILE_FOREIGN: warning("In the agent's directory IMA measured a file that no signed list of a build has."),
  AGENT_NOT_REFERENCED: info("There is no signed list of the agent's files to compare what it runs with."),
  KERNEL_LOCKDOWN_NONE: info('Kernel lockdown is off or cannot be read.'),
  KERNEL_TAINTED: info('The kernel is tainted.'),
  KERNEL_MODULE_UNSIGNED: warning('An unsigned or forced kernel module is loaded.'),
  KEXEC_LOADED: warning('A kexec image is loaded: the next kernel need not come through the measured boot.'),
  KERNEL_CLAIMS_LIMITED: info('Part of the kernel claims could not be read.'),
  KERNEL_BASELINE_NOTE: info('The kernel is set otherwise than a rule of the baseline recommends.'),
  KERNEL_BASELINE_WARNING: warning('The kernel breaks a rule of the baseline.'),
  KERNEL_BASELINE_BROKEN: contraindicated('The kernel breaks a rule of the baseline that the operator made binding.'),
  KERNEL_BASELINE_UNKNOWN: info('Recommendations of the baseline that cannot be decided: their data is missing.'),
  KERNEL_BASELINE_UNDECIDED: undecided('Rules of the baseline that cannot be decided: their data is missing.'),
  RUNTIME_UNAVAILABLE: warning('A container runtime could not be asked, so containers may be missing.'),
  RUNTIME_NOT_EXPECTED: info('The machine has no container runtime, and the settings say that it needs none.'),
  CONTAINERS_NOT_COMPARED: info(
    'The list of containers was not compared with an API server: a hidden container would not be seen.',
  ),
  // Claims as such, for a kube node or a container.
  CLAIMS_MISSING: undecided(
    'A claims-set or blob that the evidence names could not be had, or there was no room for it in this round.',
  ),
  CLAIMS_MALFORMED: undecided('A claims-set or blob that the evidence names was refused by its parser.'),
  CLAIMS_IDENTITY: contraindicated('A claims-set names another kind, container or kube node than the evidence says.'),
  // Containers: what can be said at all.
  CONTAINER_UNSUPPORTED: undecided('The runtime or snapshotter of the container is not supported.'),
  CONTAINER_STOPPED: info('The container has stopped.'),
  SCAN_INCOMPLETE: undecided('The scan of the container hit a limit or failed.'),
  SCAN_PENDING: undecided('Changes in the container have been waiting for a scan for too long.'),
  SCAN_TIMED: info('So much is written to data places of the container that changes there are looked at by the clock.'),
  INVENTORY_MISSING: undecided('There is no package inventory of the container.'),
  DRIFT_MISSING: undecided('There is no drift document of the container.'),
  NO_PACKAGE_DATABASE: warning('No package database was found, so packages cannot be compared.'),
  // Containers: image and SBOM.
  IMAGE_UNPROVEN: undecided('There is no chain of digests from the running container to an image manifest.'),
  IMAGE_RETAGGED: info("The image's name now leads to another image; the running one is unchanged."),
  LAYER_UNPROVEN: warning('A lower layer was not compared with the content that the manifest names.'),
  LAYER_MODIFIED: contraindicated('A lower layer on the disk of the kube node is not what the manifest names.'),
  SBOM_MISSING: undecided('There is no valid signed SBOM for the image.'),
  SBOM_NOT_COMPARED: undecided('The signed SBOM cannot be compared with the image.'),
  SBOM_PACKAGE_UNLISTED: warning('The image contains a package that its signed SBOM does not list.'),
  SBOM_PACKAGE_ABSENT: warning('The signed SBOM lists a package that the image does not contain.'),
  SBOM_PACKAGE_CHANGED: contraindicated('The image contains another version of a package than its signed SBOM says.'),
  SBOM_DIFFERENCE_EXPLAINED: info('SBOM and image differ in a known and harmless way.'),
  // Containers: drift of packages.
  PACKAGE_ADDED: contraindicated('A package is installed that the image does not contain.'),
  PACKAGE_REMOVED: contraindicated('A package of the image was removed.'),
  PACKAGE_CHANGED: contraindicated('A package has another version than in the image.'),
  PACKAGE_DATABASE_MODIFIED: contraindicated('A package database differs from the image.'),
  // Containers: drift of files.
  EXECUTABLE_ADDED: contraindicated('An executable, script or shared object was added.'),
  EXECUTABLE_MODIFIED: contraindicated('An executable, script or shared object of the image was changed.'),
  FOREIGN_CODE_MEASURED: contraindicated(
    'IMA measured code that the image does not have: it was run, mapped, or read by root in the container.',
  ),
  OWNED_FILE_MODIFIED: contraindicated('A file that a package of the image owns was changed.'),
  OWNED_FILE_REMOVED: contraindicated('A file that a package of the image owns was removed.'),
  IMAGE_FILE_MODIFIED: warning('A file of the image that no package owns, and that is no code, was changed.'),
  IMAGE_FILE_REMOVED: warning('A file of the image that no package owns was removed.'),
  CONFIG_MODIFIED: warning('A configuration file below /etc was changed, added or removed.'),
  CA_STORE_MODIFIED: contraindicated('The store of trusted certificates was changed.'),
  PRELOAD_CONFIGURED: contraindicated('The dynamic linker was told to load a library into every program.'),
  AUTOSTART_CHANGED: contraindicated('A scheduled task, service unit or login script was added, changed or removed.'),
  CREDENTIALS_CHANGED: contraindicated('A file that lets somebody in was added, changed or removed.'),
  ENTRY_UNREADABLE: undecided('A changed path could not be read by the scanner.'),
  SETUID_ADDED: contraindicated('A path gained setuid, setgid or file capabilities.'),
  SPECIAL_FILE_ADDED: warning('A device, socket or FIFO was added.'),
  DIRECTORY_REPLACED: contraindicated('A directory of the image was hidden and replaced as a whole.'),
  ATTRIBUTES_CHANGED: warning('Mode, owner or attributes of a path of the image were changed.'),
  FILE_ADDED: warning('A file was added outside declared data places.'),
  DIRECTORY_ADDED: info('A directory was added outside declared data places.'),
  MOUNT_OVER_IMAGE: contraindicated(
    "A mount that the runtime's specification does not name covers a path of the image.",
  ),
  VOLUME_UNPROVEN: info('A volume covers a path of the image; its content is not part of the proof.'),
  // Containers: what runs.
  RUNNING_MISSING: undecided('Nothing is known of what runs in the container.'),
  CODE_FROM_UPPER: contraindicated('A program or library ran that was added or changed since the container was made.'),
  CODE_FROM_VOLUME: warning('A program or library ran from a volume, whose content is not part of the proof.'),
  CODE_FROM_MEMORY: contraindicated('A program or library ran from a file system in memory.'),
  FILELESS_EXECUTION: contraindicated('A program ran that no file system holds (memfd).'),
  CODE_DELETED: contraindicated('A program or library ran whose file was removed.'),
  CODE_OF_UNKNOWN_ORIGIN: undecided('A program or library ran of which it is not known where it came from.'),
  TRANSIENT_EXECUTABLE: contraindicated('A file was executed and gone before it could be read.'),
  EXEC_PROCESS: info('A program was put into the container from outside, as by `kubectl exec` or a health probe.'),
  EXEC_TERMINAL: warning('A program with a terminal was put into the container from outside: somebody was inside.'),
  ANONYMOUS_CODE: info(
    'A program has executable memory that no file backs: a JIT compiler, or code that was put into it.',
  ),
  FOREIGN_ROOT: warning("A process has another root directory than the container's own."),
  FOREIGN_MOUNT_NAMESPACE: undecided(
    'A process sees other mounts than the container: what it reads is not part of the proof.',
  ),
  PRELOAD_IN_ENVIRONMENT: warning(
    'A variable that the image does not set has the dynamic linker load a library into a program.',
  ),
  // Of all kinds.
  CONTAINERS_LIMITED: undecided('The kube node has more containers than its result lists; the receipt counts all.'),
  FINDINGS_LIMITED: info('More was found than is listed; status and trust vector count all of it.'),
} as const satisfies Record<string, FindingRule>;

/** Stable code of a finding; a closed set. */
export type FindingCode = keyof typeof FINDING_RULES;
