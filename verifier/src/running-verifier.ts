/** A verifier that serves. */
export interface RunningVerifier {
  /** host:port that it listens on, with the port that the kernel chose. */
  readonly listenAddress: string;
  /** Ends every stream, waits for what is being stored and frees the port. Safe to call twice. */
  close(): Promise<void>;
}
