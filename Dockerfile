# godel-broker on a slim Python image, as a user of its own, data in the volume /data.
#   docker build -t godel-broker:0.1.0 .
#   docker run -p 9092:9092 -v godel-data:/data godel-broker:0.1.0 --advertise localhost:9092
# Clients are told the advertised address; say the one under which they reach the container.

FROM python:3.13-slim AS build
COPY pyproject.toml README.md LICENSE /source/
COPY godel /source/godel
RUN python -m venv /app && /app/bin/pip install --no-cache-dir /source

FROM python:3.13-slim
LABEL org.opencontainers.image.title="godel-broker" \
      org.opencontainers.image.description="The Kafka broker you can pip install." \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /app /app
RUN useradd --system --uid 9092 --user-group --no-create-home godel \
  && install -d -o godel -g godel /data
# The broker is the first process of the container: SIGTERM reaches it, and it stops in order.
USER 9092:9092
VOLUME /data
EXPOSE 9092
STOPSIGNAL SIGTERM
# Healthy means that clients are served; a start that has logs to check is given its time.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10m \
  CMD ["/app/bin/python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9308/readyz', timeout=2)"]
ENTRYPOINT ["/app/bin/godel-broker", "--data", "/data", "--listen", "0.0.0.0:9092", \
  "--set", "metrics.listener=127.0.0.1:9308"]
CMD ["--advertise", "localhost:9092"]
