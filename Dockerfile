# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements-uv.lock requirements.lock requirements-dev.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
 && uv venv /app \
 && uv pip sync --no-cache --compile-bytecode --require-hashes --python /app/bin/python requirements.lock
COPY pyproject.toml README.md CHANGELOG.md LICENSE ./
COPY api api
COPY correlate correlate
COPY ingest ingest
COPY query query
COPY store store
RUN uv pip install --no-cache --compile-bytecode --no-deps --build-constraints requirements-dev.lock --python /app/bin/python .

FROM python:3.12-slim
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin causeline \
 && install -d -o causeline -g causeline -m 0700 /data
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 CAUSELINE_DATA=/data/store
USER 10001
WORKDIR /data
VOLUME /data
# What listens says so on port 8080; docker-compose.yml asks a worker's or a beat's own port.
HEALTHCHECK --interval=5s --timeout=6s --start-period=20s CMD ["causeline", "health"]
ENTRYPOINT ["causeline"]
CMD ["up"]
