import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsString, Matches, Max, Min, IsInt } from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { eventTypes, toStructured } from '#events';
import type { Caller } from '#identity';
import { ApiKeys, Refusal } from '#identity';
import type { FeedItem, FeedQuery } from '#store';
import { Database, decodeCursor, envelopeOf, followFeed, readFeed } from '#store';
import { bearerOf, CurrentCaller, Needs } from '../access/authentication.guard.js';
import { drained, EventStreams } from './event-streams.js';
import { EventPage } from './events.answers.dto.js';

const list = ({ value }: { value: unknown }): unknown => (typeof value === 'string' ? value.split(',') : value);
const number = ({ value }: { value: unknown }): unknown =>
  typeof value === 'string' && /^\d{1,6}$/.test(value) ? Number(value) : value;

export class EventsQueryDto {
  /** `nextCursor` of the page before; left out: from the start of the retention. */
  @IsOptional()
  @IsString()
  @Matches(/^[A-Za-z0-9_.:~-]{1,16000}$/, { message: 'after is not a cursor of this feed' })
  after?: string;

  @IsOptional()
  @Transform(number)
  @IsInt()
  @Min(1)
  @Max(200)
  limit?: number;

  /** Only these types, comma-separated. */
  @IsOptional()
  @Transform(list)
  @IsArray()
  @ArrayMaxSize(50)
  @IsIn([...eventTypes], { each: true })
  types?: string[];
}

const defaultLimit = 50;
const streamPage = 200;
const keepAliveMs = 15_000;

@ApiTags('Events')
@Controller('v1/events')
@Needs('read')
export class EventsController {
  constructor(
    private readonly database: Database,
    private readonly streams: EventStreams,
    private readonly keys: ApiKeys,
  ) {}

  /** The event log for consumers without Kafka, in structured CloudEvents; `Accept: text/event-stream` streams it. */
  @Get()
  @ApiOkResponse({ type: EventPage })
  async events(
    @CurrentCaller() caller: Caller,
    @Query() query: EventsQueryDto,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const isStream = request.method === 'GET' && (request.headers.accept ?? '').includes('text/event-stream');
    // A browser comes back to the URL it began with, and says beside it how far it has got.
    const after = (isStream ? lastEventId : undefined) ?? query.after ?? null;
    const feed: FeedQuery = {
      entityId: caller.entityId,
      after,
      types: query.types,
      limit: isStream ? streamPage : (query.limit ?? defaultLimit),
      retentionDays: this.streams.retentionDays,
    };
    if (after !== null && decodeCursor(after) === null) throw notACursor();
    if (isStream) return this.streams.whileOpen(reply.raw, (stop) => this.stream(feed, stop, request, reply));
    const page = await readFeed(this.database, feed);
    if (page === null) throw notACursor();
    const items = page.items.map((item) => structured(item, page.epoch));
    await reply.send({ items, nextCursor: page.nextCursor });
  }

  private async stream(
    feed: FeedQuery,
    stop: AbortSignal,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    const { raw } = reply;
    reply.hijack();
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': request.id,
    });
    raw.write(': the log of user events and notices\n\n');
    const beat = setInterval(() => raw.writableNeedDrain || raw.write(': still here\n\n'), keepAliveMs);
    try {
      for await (const page of followFeed(this.database, feed, this.streams.pulse, stop)) {
        if (!(await this.isStillLetIn(request))) return;
        for (const item of page.items) {
          const event = structured(item, page.epoch);
          const line = `id: ${item.cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
          if (!raw.write(line)) await drained(raw, stop);
          if (stop.aborted) return;
        }
      }
    } finally {
      clearInterval(beat);
    }
  }

  /** A stream outlives the moment in which its key was looked at; the key may have been revoked since. */
  private async isStillLetIn(request: FastifyRequest): Promise<boolean> {
    const caller = await this.keys.authenticate(bearerOf(request) ?? '');
    return caller?.scopes.has('read') === true;
  }
}

function structured({ row }: FeedItem, epoch: number): ReturnType<typeof toStructured> {
  return toStructured(envelopeOf(row, epoch));
}

function notACursor(): Refusal {
  const message = 'after is not a cursor of this feed';
  return new Refusal('invalid_request', message, { errors: [{ path: 'after', message }] });
}
