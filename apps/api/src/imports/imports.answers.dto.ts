import { ApiProperty } from '@nestjs/swagger';
import { importKinds } from '#identity';
import type { ImportKind } from '#identity';

export class ImportErrorAnswer {
  /** As the sender counts them, from 1: of the file, or of `items`. 0: the whole import. */
  line: number;
  /** docs/errors.md has the cure of each. */
  code: string;
  message: string;
}

/** Why an import does not go on just now. */
export class ImportWaitingAnswer {
  code: string;
  message: string;
  /** When it is tried again. */
  until: string;
}

export class ImportAnswer {
  id: string;
  entityId: string;
  @ApiProperty({ enum: importKinds })
  kind: ImportKind;
  /** Bad lines do not make an import `failed`. */
  status: 'queued' | 'running' | 'done' | 'failed';
  dryRun: boolean;
  /** Whose followers are pulled. */
  appId: string | null;
  total: number;
  /** Lines handled, bad ones included. */
  done: number;
  failed: number;
  /** Null until there is a second portion to measure by. */
  ratePerSecond: number | null;
  /** How many lines had which outcome: those of a login, `rekeyed`, `unchanged`. */
  @ApiProperty({ type: 'object', additionalProperties: { type: 'integer' } })
  outcomes: Readonly<Record<string, number>>;
  /** The import that applied the same re-key table before: this one only checks. */
  repeats: string | null;
  waiting: ImportWaitingAnswer | null;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
  /** In order of lines, at most 1000. */
  @ApiProperty({ type: [ImportErrorAnswer] })
  errors: readonly ImportErrorAnswer[];
  /** There are more: ask with `errorsAfter`, the last line shown. */
  moreErrors: boolean;
}
