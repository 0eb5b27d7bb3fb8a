# One image for node and worker: `python -m api` (the default), `python -m workers`, `rankcast migrate`.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
# For the extension that sends and tracks; without it the node runs its twin in Python. The compiler of the base's own release will do:
# a version pinned here would be gone from Debian's mirrors with its next point release.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
RUN python -m venv /opt/rankcast
ENV PATH=/opt/rankcast/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# The dependencies are a layer of their own: an edit of ours does not bring them anew.
COPY pyproject.toml ./
RUN python -c "import tomllib; told = tomllib.load(open('pyproject.toml', 'rb'))['project']; print(*told['dependencies'], *told['optional-dependencies']['aws'], sep='\n')" > requirements.txt \
    && pip install --requirement requirements.txt
COPY README.md LICENSE ./
COPY realtime realtime
COPY api api
COPY workers workers
COPY infra infra
COPY web web
RUN pip install --no-deps .

FROM python:${PYTHON}-slim
# The folders are for what outlives a container: the local issuer's key, uploaded pictures. A new volume over one takes its owner on.
RUN useradd --uid 10001 --no-create-home --home-dir /var/lib/rankcast --shell /usr/sbin/nologin rankcast \
    && install --directory --owner=rankcast --mode=0750 /var/lib/rankcast /var/lib/rankcast/keys /var/lib/rankcast/pictures
COPY --from=build /opt/rankcast /opt/rankcast
ENV PATH=/opt/rankcast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RANKCAST_HOST=0.0.0.0 \
    RANKCAST_PORT=8080
WORKDIR /var/lib/rankcast
USER 10001
EXPOSE 8080
# A node's; a worker has no port, and ends when it cannot go on: switch it off there.
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['RANKCAST_PORT'] + '/readyz', timeout=2)"]
CMD ["python", "-m", "api"]
