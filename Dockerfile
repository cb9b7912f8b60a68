# One image for every service: `bonpunkt loyalty serve`, `bonpunkt gateway serve`, … The target `demo` adds the
# recorded baskets and who checks them out; nothing that serves needs it.
FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
RUN python -m venv /opt/bonpunkt
# The locked packages change seldom and the code often: two layers.
COPY requirements/serve.txt requirements/serve.txt
RUN /opt/bonpunkt/bin/pip install --no-cache-dir --require-hashes -r requirements/serve.txt

# What builds and compiles stays behind: the wheel and the compiled modules alone are taken from here.
FROM packages AS compile
RUN apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev python3-dev
COPY requirements/build.txt requirements/build.txt
RUN /opt/bonpunkt/bin/pip install --no-cache-dir --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY protos protos
COPY services services
COPY .ci/compile .ci/compile
RUN /opt/bonpunkt/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir wheel . \
    && /opt/bonpunkt/bin/python .ci/compile

FROM packages AS build
COPY --from=compile /build/wheel wheel
RUN /opt/bonpunkt/bin/pip install --no-index --no-deps wheel/*.whl
COPY --from=compile /opt/bonpunkt/compiled /opt/bonpunkt/compiled

FROM build AS build-demo
COPY requirements/run.txt requirements/run.txt
RUN /opt/bonpunkt/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt

FROM python:3.11-slim-bookworm AS base
# The folders that volumes are put on belong to the user: a new volume takes that over.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin bonpunkt \
    && install --directory --owner=bonpunkt --group=bonpunkt /data
ENV PATH=/opt/bonpunkt/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BONPUNKT_DATA=/data
VOLUME /data
WORKDIR /data
USER bonpunkt
ENTRYPOINT ["bonpunkt"]

FROM base AS demo
COPY --from=build-demo /opt/bonpunkt /opt/bonpunkt

# The last stage is what a plain build makes.
FROM base AS serve
COPY --from=build /opt/bonpunkt /opt/bonpunkt
