import { applyDecorators } from '@nestjs/common';
import { IsString, Length, Matches } from 'class-validator';

/**
 * Free text for people: no control characters (PostgreSQL refuses U+0000, logs the others), no lone surrogates, which
 * would be stored as something else than was sent.
 */
export const IsText = (max: number): PropertyDecorator =>
  applyDecorators(
    IsString(),
    Length(1, max),
    Matches(/^[^\p{Cc}\p{Cs}]*$/u, { message: 'the text must not hold control characters or lone surrogates' }),
  );
