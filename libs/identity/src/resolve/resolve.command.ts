import { Command, CommandHandler } from '@nestjs/cqrs';
import type { ICommandHandler } from '@nestjs/cqrs';
import type { Observation } from './observation.dto.js';
import type { Asker, ResolveAnswer } from './resolver.js';
import { Resolver } from './resolver.js';

/** Takes what was seen, answers with the one live user of each, in the order given. */
export class ResolveObservations extends Command<ResolveAnswer[]> {
  constructor(
    readonly observations: readonly Observation[],
    readonly asker: Asker,
  ) {
    super();
  }
}

@CommandHandler(ResolveObservations)
export class ResolveObservationsHandler implements ICommandHandler<ResolveObservations> {
  constructor(private readonly resolver: Resolver) {}

  execute({ observations, asker }: ResolveObservations): Promise<ResolveAnswer[]> {
    return this.resolver.resolve(observations, asker);
  }
}
