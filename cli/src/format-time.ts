/** ISO 8601 of milliseconds since 1970 that somebody else states: any number may stand there. */
export function formatTime(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : 'an impossible time';
}
