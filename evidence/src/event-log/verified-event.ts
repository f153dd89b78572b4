import { type DataForm, findVerifiedForm } from './event-data.ts';
import { EVENT_TYPE } from './event-type.ts';
import type { EventLog, LogEvent } from './parse-event-log.ts';

/** An event and what its digest says of its data. */
export interface VerifiedEvent {
  readonly event: LogEvent;
  /** Undefined where no digest covers the data. */
  readonly form: DataForm | undefined;
  /** Whether the data hashes to the digest. False for EV_NO_ACTION, which nothing binds. */
  readonly dataVerified: boolean;
}

/** Compares the data of each event with its digests. Digests are believed once a replay gives the quoted PCRs. */
export function verifyEventData(log: EventLog): VerifiedEvent[] {
  return log.events.map((event) => {
    const form = event.typeId === EVENT_TYPE.EV_NO_ACTION ? undefined : findVerifiedForm(event, log.algorithms);
    return { event, form, dataVerified: form !== undefined };
  });
}
