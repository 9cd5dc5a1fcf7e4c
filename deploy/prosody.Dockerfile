# syntax=docker/dockerfile:1
# Prosody as Debian packages it: the version that the tests run against.
FROM debian:bookworm-slim
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends openssl prosody \
    && rm -rf /var/lib/apt/lists/*
COPY --chmod=644 prosody.cfg.lua /etc/prosody/prosody.cfg.lua
USER prosody
VOLUME /var/lib/prosody
EXPOSE 5222
# Nothing but a shell is there to ask: does it accept clients?
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/5222"]
CMD ["prosody", "-F"]
