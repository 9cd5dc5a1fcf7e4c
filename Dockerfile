# syntax=docker/dockerfile:1
# The bridge alone: no compiler, no pip, no root. Configuration and an SQLite database live in /data.

ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
RUN python -m venv --without-pip /opt/consilium
COPY requirements.lock requirements-dev.lock ./
# Every package by the hash in the lock, and only as a wheel: nothing is compiled, no setup.py runs.
# One there is as source only, in plain Python: it is built here. The build backend comes from the
# same locks, and stays in this stage.
RUN sed '/^quotequail==/,/[^\\]$/d' requirements.lock > wheels.lock \
    && pip --python /opt/consilium/bin/python install \
        --require-hashes --only-binary :all: -r wheels.lock \
    && sed -n '/^setuptools==/,/[^\\]$/p' requirements-dev.lock > backend.lock \
    && pip install --require-hashes --only-binary :all: -r backend.lock \
    && sed -n '/^quotequail==/,/[^\\]$/p' requirements.lock > source.lock \
    && pip wheel --require-hashes --no-deps --no-build-isolation --wheel-dir dist -r source.lock
COPY pyproject.toml README.md LICENSE ./
COPY adapters adapters
COPY bridge bridge
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/consilium/bin/python install --no-deps --no-index dist/*.whl

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Consilium" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 consilium \
    && useradd --uid 10001 --gid consilium --no-create-home --home-dir /data \
        --shell /usr/sbin/nologin consilium \
    && install -d -o consilium -g consilium -m 0700 /data
COPY --from=build /opt/consilium /opt/consilium
ENV PATH=/opt/consilium/bin:$PATH \
    CONSILIUM_CONFIG=/data/config.yaml \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 29300
# Asks the default port; whoever sets another appservice.port inside the container sets this too.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 29300, timeout=4); c.request('GET', '/live'); sys.exit(c.getresponse().status != 200)"]
# The process itself is PID 1 and handles SIGTERM; it starts no children, so nothing has to reap any.
ENTRYPOINT ["consilium"]
CMD ["run"]
