import { createHash } from 'node:crypto';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Needs } from '../access/authentication.guard.js';
import type { EventDocument } from './event-document.js';
import { eventPage, style } from './event-page.js';

/** The page's own style and nothing else: no script, no font, no picture, no other site. */
const contentPolicy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** What travels on Kafka, as a document for programs and as a page for people. Both are the contract, and no secret. */
@ApiExcludeController()
@Controller()
@Needs('public')
export class EventDocsController {
  private readonly page: string;

  constructor(@Inject('event document') private readonly document: EventDocument) {
    this.page = eventPage(document);
  }

  @Get('asyncapi.json')
  asyncApi(): EventDocument {
    return this.document;
  }

  @Get('events-docs')
  @Header('content-type', 'text/html; charset=utf-8')
  @Header('content-security-policy', contentPolicy)
  show(): string {
    return this.page;
  }
}
