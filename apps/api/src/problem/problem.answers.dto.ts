import { ApiProperty } from '@nestjs/swagger';

export class FieldProblem {
  path: string;
  message: string;
}

/** RFC 9457, with a stable `code` (docs/errors.md). */
export class ProblemAnswer {
  type: string;
  title: string;
  status: number;
  detail: string;
  /** Stable and machine-readable. */
  code: string;
  requestId: string;
  /** Which fields, where `code` is `invalid_request`. */
  @ApiProperty({ type: [FieldProblem] })
  errors?: readonly FieldProblem[];
  [member: string]: unknown;
}
