import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsOptional as MayBeNothing } from 'class-validator';

/** A field that may be left out; `null` is the same as leaving it out, so that no route meets a null it did not ask for. */
export const IsOptional = (): PropertyDecorator =>
  applyDecorators(
    MayBeNothing(),
    Transform(({ value }: { value: unknown }) => value ?? undefined),
  );
