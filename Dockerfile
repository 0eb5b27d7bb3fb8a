# One image for node and worker: `python -m api` (the default) or `python -m workers`.
FROM python:3.13-slim AS build
WORKDIR /src
# For the extension that sends and tracks; without it the node runs its twin in Python.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY pyproject.toml README.md LICENSE ./
COPY realtime realtime
COPY api api
COPY workers workers
COPY infra infra
COPY web web
RUN python -m venv /opt/rankcast && /opt/rankcast/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home rankcast
COPY --from=build /opt/rankcast /opt/rankcast
ENV PATH=/opt/rankcast/bin:$PATH PYTHONUNBUFFERED=1 RANKCAST_HOST=0.0.0.0 RANKCAST_PORT=8080
USER rankcast
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
CMD ["python", "-m", "api"]
