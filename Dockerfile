# The image of the service: what runs and nothing else. deploy/container/check.mjs follows the same instructions
# without a container engine; it knows those that are used here.
#   docker build --tag multi-tenant-session-service \
#     --build-arg VERSION=0.1.0 --build-arg REVISION="$(git rev-parse HEAD)" .

FROM node:24-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:24-trixie-slim AS dependencies
WORKDIR /dependencies
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional --no-audit --no-fund
RUN mkdir empty

# Node's long-term support, and no shell, package manager or tool besides.
FROM gcr.io/distroless/nodejs24-debian13:nonroot
ARG VERSION=unreleased
ARG REVISION=unknown
LABEL org.opencontainers.image.title="multi-tenant-session-service" \
      org.opencontainers.image.description="Sessions for many tenants: signed access tokens, rotating refresh tokens, immediate revocation." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
WORKDIR /app
COPY --from=dependencies /dependencies/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY package.json LICENSE ./
# The only place that the service writes to, and only with a SQLite store: mount a volume there.
COPY --from=dependencies --chown=65532:65532 /dependencies/empty /data
ENV NODE_ENV=production STORE_URL=sqlite:/data/sessions.db
USER 65532:65532
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --start-interval=1s \
  CMD ["/nodejs/bin/node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 3000}/health/ready`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["/nodejs/bin/node"]
# Many short collections in place of few long ones, and one helper for them: docs/performance.md.
CMD ["--max-semi-space-size=16", "--v8-pool-size=1", "dist/main.js"]
