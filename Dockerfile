# The image runs the command `ci-observer`, by default with `up`.
# docs/operations.md explains how to run it, and the entrypoint.

FROM python:3.13-slim-trixie AS builder
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /app
# Dependencies first, because they change less often than the code.
COPY requirements.lock requirements-replica.lock requirements-lake.lock ./
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --require-hashes -r requirements.lock
# Names of more locked packages: --build-arg EXTRAS=replica, or lake, or "replica lake".
ARG EXTRAS=
RUN for extra in $EXTRAS; do \
      /opt/venv/bin/python -m pip install --require-hashes -r "requirements-$extra.lock" \
      || exit 1; \
    done
COPY . .
# chmod: a clone with a strict umask must be readable by another user.
# Datasette depends on pip and setuptools, but only its `install` command uses them.
RUN /opt/venv/bin/python -m pip install --no-deps --no-build-isolation -e . \
 && /opt/venv/bin/python -m pip uninstall --yes setuptools pip \
 && rm -rf build ./*.egg-info \
 && chmod -R u=rwX,go=rX . \
 && python -m compileall -q ci_observer/*.py ingest web demo plugins

FROM python:3.13-slim-trixie
RUN groupadd --gid 10001 app \
 && useradd --uid 10001 --gid app --no-create-home --shell /usr/sbin/nologin app \
 && rm -rf /usr/local/lib/python3*/site-packages/pip* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
 # The base image has no bytecode of Python's own modules: each start would compile them.
 && python -m compileall -q -x '/(idlelib|pydoc_data|test|tkinter|turtledemo)/' /usr/local/lib/python3* \
 && useradd --uid 10002 --gid app --no-create-home --shell /usr/sbin/nologin web \
 && install -d -o app -g app -m 750 /app/data
COPY --from=builder /opt/venv /opt/venv
COPY --from=builder /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    # Large sorts use the volume for temporary files, not the memory of /tmp.
    SQLITE_TMPDIR=/app/data \
    CI_OBSERVER_DB=/app/data/ci_observer.db \
    CI_OBSERVER_HOST=0.0.0.0 \
    CI_OBSERVER_PORT=8089
WORKDIR /app
EXPOSE 8089
HEALTHCHECK --interval=15s --timeout=5s --start-period=15s --retries=3 \
  CMD ["python", "/app/container/healthcheck.py"]
# The entrypoint starts as root and runs as the owner of /app/data, or as `--user`.
ENTRYPOINT ["/app/container/entrypoint.sh", "ci-observer"]
CMD ["up"]
