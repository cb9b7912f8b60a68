# One image for every service: `bonpunkt loyalty serve`, `bonpunkt gateway serve`, …
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/bonpunkt
# The locked packages change seldom and the code often: two layers.
COPY requirements/run.txt requirements/run.txt
RUN /opt/bonpunkt/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY protos protos
COPY services services
RUN /opt/bonpunkt/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin bonpunkt \
    && install --directory --owner=bonpunkt --group=bonpunkt /data
COPY --from=build /opt/bonpunkt /opt/bonpunkt
ENV PATH=/opt/bonpunkt/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    BONPUNKT_DATA=/data
VOLUME /data
WORKDIR /data
USER bonpunkt
ENTRYPOINT ["bonpunkt"]
