# The service with the pinned libraries; it runs as nobody in particular and writes to /data alone.
FROM python:3.11-slim AS made
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY features features
COPY models models
COPY pipelines pipelines
COPY policies policies
COPY serve.py serve.py
COPY service service
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
    && useradd --uid 10001 --no-create-home redress && mkdir /data && chown redress /data
USER redress
ENV NUMBA_CACHE_DIR=/data/numba PYTHONUNBUFFERED=1
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/readyz', timeout=2)"]
STOPSIGNAL SIGTERM
CMD ["uvicorn", "serve:app", "--factory", "--host", "0.0.0.0", "--port", "8000", "--no-access-log", \
     "--log-level", "warning", "--no-server-header", "--timeout-graceful-shutdown", "30"]
