/** Version of this verifier, as in its package.json. */
export const VERIFIER_VERSION = '0.1.0';
