/** Files of the agent by name, private to it. */
export interface StateDirectory {
  /** Undefined where there is no such file. Throws `AgentError` ERR_AGENT_STATE when it cannot be read. */
  read(name: string, maxBytes: number): Promise<Buffer | undefined>;
  /** Replaces a file as a whole: after the promise settles the new content survives a power cut. */
  replace(name: string, content: Uint8Array): Promise<void>;
  /** Adds to the end of a file; after the promise settles it survives a power cut. */
  append(name: string, content: Uint8Array): Promise<void>;
  /** Renames; the target's old content is gone. */
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Lets another agent use the directory. */
  close(): Promise<void>;
}
