import { Injectable } from '@nestjs/common';
import type { OpenImport, StoredLine } from '#store';
import { Refusal } from '../problem.js';
import type { Observation } from '../resolve/observation.dto.js';
import type { ResolveAnswer } from '../resolve/resolver.js';
import { Resolver } from '../resolve/resolver.js';
import type { IdentityLine } from './import-lines.js';
import type { LineResult, Portion, PortionMaker } from './portion.js';
import { originOf } from './portion.js';

/** Each line is an observation like any other, seen when the import was handed in. */
@Injectable()
export class IdentityPortions implements PortionMaker {
  constructor(private readonly resolver: Resolver) {}

  async make(job: OpenImport, lines: readonly StoredLine[]): Promise<Portion> {
    const observations = lines.map(({ content }): Observation => {
      const { appId, openId, unionId, firstSeenAt } = content as IdentityLine;
      return {
        appId,
        openId,
        unionId,
        source: 'operator_import',
        observedAt: job.created_at,
        firstSeenAt: firstSeenAt === null ? null : new Date(firstSeenAt),
      };
    });
    const plan = await this.resolver.plan(observations, { ...originOf(job, 'import'), entityId: job.entity_id });
    return { wanted: plan.wanted, decide: (world) => plan.decide(world).map(resultOf) };
  }
}

export function resultOf(answer: ResolveAnswer): LineResult {
  return answer instanceof Refusal ? { code: answer.code, message: answer.message } : { outcome: answer.outcome };
}
