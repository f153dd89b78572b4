const EV_NO_ACTION = 3;
const SHA1_BYTES = 20;
const SPEC_ID = 'Spec ID Event03\0';
const MAX_EVENTS = 100_000;
const MAX_ALGORITHMS = 16;

/**
 * Lists the PCRs that an event log (TCG PC Client Platform Firmware Profile §10) extends, so that their values need not be
 * told beside it. Nothing is judged here; a log that does not parse explains nothing and gives an empty set.
 */
export function listLoggedPcrs(log: Buffer): Set<number> {
  try {
    return readPcrs(log);
  } catch (error) {
    // Reading past the end; the log is foreign data.
    if (error instanceof RangeError) return new Set();
    throw error;
  }
}

function readPcrs(log: Buffer): Set<number> {
  const first = readLegacyEvent(log, 0);
  const sizes = readDigestSizes(log.subarray(first.data, first.end));
  const pcrs = new Set<number>();
  let at = sizes === undefined ? 0 : first.end;
  for (let count = 0; at < log.length && count < MAX_EVENTS; count += 1) {
    const event = sizes === undefined ? readLegacyEvent(log, at) : readAgileEvent(log, at, sizes);
    if (event.type !== EV_NO_ACTION) pcrs.add(event.pcr);
    at = event.end;
  }
  return pcrs;
}

interface EventSpan {
  pcr: number;
  type: number;
  data: number;
  end: number;
}

function readLegacyEvent(log: Buffer, at: number): EventSpan {
  const data = at + 8 + SHA1_BYTES + 4;
  return spanTo(log, { pcr: log.readUInt32LE(at), type: log.readUInt32LE(at + 4), data });
}

function readAgileEvent(log: Buffer, at: number, sizes: Map<number, number>): EventSpan {
  const count = log.readUInt32LE(at + 8);
  if (count > MAX_ALGORITHMS) throw new RangeError('too many digests');
  let data = at + 12;
  for (let index = 0; index < count; index += 1) {
    const size = sizes.get(log.readUInt16LE(data));
    if (size === undefined) throw new RangeError('unknown digest');
    data += 2 + size;
  }
  return spanTo(log, { pcr: log.readUInt32LE(at), type: log.readUInt32LE(at + 4), data: data + 4 });
}

function spanTo(log: Buffer, event: { pcr: number; type: number; data: number }): EventSpan {
  const end = event.data + log.readUInt32LE(event.data - 4);
  if (end > log.length) throw new RangeError('event is cut off');
  return { ...event, end };
}

/** Digest sizes by algorithm from the first event's data; undefined for the legacy form, which has none. */
function readDigestSizes(data: Buffer): Map<number, number> | undefined {
  if (data.toString('latin1', 0, SPEC_ID.length) !== SPEC_ID) return undefined;
  const count = data.readUInt32LE(24);
  if (count > MAX_ALGORITHMS) throw new RangeError('too many algorithms');
  const sizes = new Map<number, number>();
  for (let index = 0; index < count; index += 1) {
    sizes.set(data.readUInt16LE(28 + 4 * index), data.readUInt16LE(30 + 4 * index));
  }
  return sizes;
}
