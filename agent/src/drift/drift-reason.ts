/**
 * Why an entry of the drift document is relevant: the closed list of the classification.
 *
 * - `imageContent`: the image contains the path.
 * - `newEntry`: new outside the declared data places.
 * - `executable`: a regular file with an execute bit.
 * - `elf`, `script`, `bytecode`: by its first bytes. `script` is `#!` or an embedded server-side tag.
 * - `interpretedCode`, `sharedObject`: by its name.
 * - `packageDatabase`, `packageManifest`: read by an inventory.
 * - `configuration`: below /etc. `certificateStore`: trusted CA certificates.
 * - `scheduledTask`, `shellStartup`, `credentials`, `preload`, `serviceUnit`: run or trusted without anybody's command.
 * - `programLink`: a link, now or in the image, where programs and libraries are looked up.
 * - `setuid`, `setgid`, `capability`, `mode`, `owner`, `xattrs`: attributes that are set or changed.
 * - `device`, `specialFile`: not a file, directory or link.
 * - `removed`, `opaque`: content of the image that is hidden; `opaque` where a directory was replaced as a whole.
 * - `typeChanged`: a file became a directory, a link became a file, and so on.
 * - `unreadable`: could not be looked at, so that nothing good can be said of it.
 */
export type DriftReason =
  | 'imageContent'
  | 'newEntry'
  | 'executable'
  | 'elf'
  | 'script'
  | 'bytecode'
  | 'interpretedCode'
  | 'sharedObject'
  | 'packageDatabase'
  | 'packageManifest'
  | 'configuration'
  | 'certificateStore'
  | 'scheduledTask'
  | 'shellStartup'
  | 'credentials'
  | 'preload'
  | 'serviceUnit'
  | 'programLink'
  | 'setuid'
  | 'setgid'
  | 'capability'
  | 'mode'
  | 'owner'
  | 'xattrs'
  | 'device'
  | 'specialFile'
  | 'removed'
  | 'opaque'
  | 'typeChanged'
  | 'unreadable';
