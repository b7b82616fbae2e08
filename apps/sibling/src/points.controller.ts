import { Body, Controller, Get, HttpCode, HttpException, Param, Post, Req } from '@nestjs/common';
import { IsInt, Matches, Max, Min } from 'class-validator';
import type { PoolClient } from 'pg';
import { IdentityFollower } from '#consumer';
import { earn, pointsOf } from './points.js';

class EarnDto {
  @Matches(/^[\w-]{1,128}$/) appId: string;
  @Matches(/^[\w-]{1,128}$/) openId: string;
  @IsInt() @Min(1) @Max(1_000_000) points: number;
}

@Controller()
export class PointsController {
  constructor(private readonly follower: IdentityFollower<PoolClient>) {}

  @Post('points')
  @HttpCode(200)
  async earn(@Body() { points, ...identity }: EarnDto): Promise<object> {
    const book = (userId: string, client: PoolClient) => earn(client, userId, identity, points);
    const earned = await this.follower.people.act(identity, book);
    if (earned === null) throw new HttpException('nobody is known by this identity', 404);
    return earned;
  }

  @Get('points/:userId')
  points(@Param('userId') asked: string): Promise<object> {
    const { people } = this.follower;
    return people.transaction(async (client) => pointsOf(client, await people.current(asked, client)));
  }

  @Get(['livez', 'readyz'])
  async probe(@Req() { url }: { readonly url: string }): Promise<object> {
    const health = await this.follower.health();
    const isGood = url.startsWith('/livez') ? health.isLive : health.isReady;
    if (!isGood) throw new HttpException(health, 503);
    return health;
  }
}
