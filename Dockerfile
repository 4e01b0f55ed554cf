# The forwarder as an image: `docker build --build-arg REVISION=$(git rev-parse HEAD) .`
# Where your registry shows a digest for the base, add it to the tag in both FROM lines (tag@sha256:...).

# The same Python and system as below, with a C compiler.
FROM python:3.11.14-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
RUN python -m venv --without-pip /opt/forwarder
# The dependencies change rarely: their layer is kept when only our code changes.
COPY requirements-runtime.lock requirements-build.lock ./
RUN pip install --require-hashes --only-binary=:all: -r requirements-build.lock \
 && pip --python /opt/forwarder/bin/python install --require-hashes --only-binary=:all: \
      -r requirements-runtime.lock
COPY pyproject.toml setup.py README.md ./
COPY forwarder forwarder
# Without isolation the build uses the hashed tools above, not whatever is newest today. mypyc, which compiles the core,
# needs to see the types of the dependencies.
ENV FORWARDER_COMPILE=1 PYTHONPATH=/opt/forwarder/lib/python3.11/site-packages
RUN pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /wheels . \
 && pip --python /opt/forwarder/bin/python install --no-deps --no-index /wheels/*.whl

FROM python:3.11.14-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="conversion-forwarder" \
      org.opencontainers.image.description="Forwards conversion events from Kafka to ad platforms" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Nothing that installs or builds stays in the image that runs.
RUN python -m pip uninstall --yes --quiet --root-user-action=ignore pip \
 && rm -rf /usr/local/lib/python3.11/ensurepip /usr/local/lib/python3.11/site-packages/*
COPY --from=build /opt/forwarder /opt/forwarder
ENV PATH=/opt/forwarder/bin:$PATH \
    FORWARDER_CONFIG=/etc/forwarder/config \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /
USER 10001:10001
EXPOSE 8080
# Kubernetes and the compose file ask /healthz and /readyz themselves.
HEALTHCHECK NONE
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/forwarder/bin/forwarder"]
CMD ["run"]
