FROM python:3.12-slim AS build
WORKDIR /src
COPY requirements-uv.lock requirements.lock requirements-dev.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-uv.lock \
 && uv venv /app \
 && uv pip sync --no-cache --compile-bytecode --require-hashes --python /app/bin/python requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY api api
COPY correlate correlate
COPY ingest ingest
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
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import httpx; httpx.get('http://127.0.0.1:8080/readyz').raise_for_status()"]
ENTRYPOINT ["causeline"]
CMD ["up"]
