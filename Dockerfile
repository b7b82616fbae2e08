# syntax=docker/dockerfile:1

# One image, several commands: the API (by default), the relay, the migrations, the sandbox.
#   docker run … unionlink                             the API
#   docker run … unionlink dist/apps/relay/src/main.js the relay
#   docker run … unionlink dist/tools/migrate.js       applies prisma/migrations to DATABASE_URL

FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN node tools/prepare.mjs

FROM node:22-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
# Prisma's command line and the compiler are optional peers of its client: 250 MB that nothing here runs.
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund

FROM node:22-bookworm-slim
WORKDIR /app
# HOST: inside a container 127.0.0.1 would answer nobody. UNIONLINK_PREPARED: there is nothing to build with here.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 UNIONLINK_PREPARED=1
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json LICENSE ./
COPY prisma ./prisma
COPY tools/*.mjs ./tools/
USER node
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/livez`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "--enable-source-maps"]
CMD ["dist/apps/api/src/main.js"]
