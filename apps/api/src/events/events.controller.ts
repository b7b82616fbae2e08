import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsString, Matches, Max, Min, IsInt } from 'class-validator';
import { IsOptional } from '../request/is-optional.decorator.js';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { eventTypes, toStructured } from '#events';
import type { Caller } from '#identity';
import { Refusal } from '#identity';
import type { FeedItem, FeedQuery } from '#store';
import { Database, decodeCursor, envelopeOf, followFeed, readFeed } from '#store';
import { CurrentCaller, Needs } from '../access/authentication.guard.js';
import { EventStreams } from './event-streams.js';
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
    const isStream = (request.headers.accept ?? '').includes('text/event-stream');
    const after = query.after ?? (isStream ? lastEventId : undefined) ?? null;
    const feed: FeedQuery = {
      entityId: caller.entityId,
      after,
      types: query.types,
      limit: isStream ? streamPage : (query.limit ?? defaultLimit),
      retentionDays: this.streams.retentionDays,
    };
    if (after !== null && decodeCursor(after) === null) throw notACursor();
    if (isStream) return this.stream(feed, reply);
    const page = await readFeed(this.database, feed);
    if (page === null) throw notACursor();
    const items = page.items.map((item) => structured(item, page.epoch));
    await reply.send({ items, nextCursor: page.nextCursor });
  }

  private async stream(feed: FeedQuery, reply: FastifyReply): Promise<void> {
    const stop = this.streams.open(reply.raw);
    reply.hijack();
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-request-id': reply.request.id,
    });
    reply.raw.write(': the log of user events and notices\n\n');
    const beat = setInterval(() => reply.raw.write(': still here\n\n'), keepAliveMs);
    try {
      for await (const page of followFeed(this.database, feed, this.streams.pulse, stop))
        for (const item of page.items) {
          const event = structured(item, page.epoch);
          const line = `id: ${item.cursor}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
          if (!reply.raw.write(line)) await drained(reply, stop);
        }
    } finally {
      clearInterval(beat);
      reply.raw.end();
    }
  }
}

function structured({ row }: FeedItem, epoch: number): ReturnType<typeof toStructured> {
  return toStructured(envelopeOf(row, epoch));
}

function notACursor(): Refusal {
  const message = 'after is not a cursor of this feed';
  return new Refusal('invalid_request', message, { errors: [{ path: 'after', message }] });
}

/** A reader that does not read must not fill our memory. */
function drained(reply: FastifyReply, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      reply.raw.off('drain', done);
      stop.removeEventListener('abort', done);
      resolve();
    };
    reply.raw.once('drain', done);
    stop.addEventListener('abort', done, { once: true });
  });
}
