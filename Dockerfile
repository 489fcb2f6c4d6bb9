# The nightly job and the server in one image: `docker run habitue score ...`, `docker run habitue serve ...`.
# How to build and run it, and what was not tried: docs/how-to/docker.md.

ARG PYTHON=python:3.12-slim-bookworm

# --- What is installed: the versions of the lock file, each checked by its hash, then habitue itself.
FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1
WORKDIR /build
RUN python -m venv /opt/habitue
ENV PATH=/opt/habitue/bin:${PATH}
COPY requirements.lock ./
RUN pip install --no-build-isolation --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-build-isolation --no-deps .

# --- What runs: no compiler, no pip cache, no root.
FROM ${PYTHON}
# LightGBM's OpenMP runtime.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 habitue \
    && useradd --uid 10001 --gid habitue --no-create-home --home-dir /srv/shop --shell /usr/sbin/nologin habitue \
    && install --directory --owner habitue --group habitue /srv/shop
COPY --from=build /opt/habitue /opt/habitue
ENV PATH=/opt/habitue/bin:${PATH} \
    HOME=/tmp \
    MLFLOW_DISABLE_TELEMETRY=true \
    MPLCONFIGDIR=/tmp/matplotlib \
    OPENBLAS_NUM_THREADS=1 \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /srv/shop
# The shop's folder: habitue.toml, models/, mlruns/, data and scores. Nothing of it is in the image.
VOLUME ["/srv/shop"]
EXPOSE 5000
STOPSIGNAL SIGTERM
ENTRYPOINT ["habitue"]
CMD ["--help"]
