/** Why somebody is parked, as a text of the database: PostgreSQL takes no NUL. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll('\0', '\ufffd');
}
