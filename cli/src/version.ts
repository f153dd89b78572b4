import manifest from '../package.json' with { type: 'json' };

/** Version of this command, as it stands in what it makes. */
export const TOOL_VERSION: string = manifest.version;
