# godel-broker on a slim Python image, as a user of its own, data in the volume /data.
#   docker build -t godel-broker .
#   docker run -p 9092:9092 -v godel-data:/data godel-broker --advertise localhost:9092
# Clients are told the advertised address; say the one under which they reach the container.

FROM python:3.13-slim AS build
COPY pyproject.toml README.md LICENSE /source/
COPY godel /source/godel
RUN python -m venv /app && /app/bin/pip install --no-cache-dir /source

FROM python:3.13-slim
COPY --from=build /app /app
RUN useradd --system --uid 9092 --no-create-home godel && install -d -o godel -g godel /data
USER godel
VOLUME /data
EXPOSE 9092
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["/app/bin/python", "-c", "import socket; socket.create_connection(('127.0.0.1', 9092), 2).close()"]
ENTRYPOINT ["/app/bin/godel-broker", "--data", "/data", "--listen", "0.0.0.0:9092"]
CMD ["--advertise", "localhost:9092"]
