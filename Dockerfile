# One image for every role; docker-compose.yml says which command each runs.
FROM python:3.13-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/waybill/.venv
COPY requirements/base.lock /tmp/base.lock
RUN /opt/waybill/.venv/bin/pip install --require-hashes -r /tmp/base.lock

FROM python:3.13-slim
ENV PATH=/opt/waybill/.venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    WAYBILL_STATIC_ROOT=/opt/waybill/staticfiles \
    WAYBILL_STATE=/var/lib/waybill \
    PROMETHEUS_MULTIPROC_DIR=/var/lib/waybill/metrics
RUN useradd --system --home-dir /opt/waybill waybill \
    && mkdir -p /var/lib/waybill/metrics \
    && chown -R waybill /var/lib/waybill
WORKDIR /opt/waybill
COPY --from=build /opt/waybill/.venv .venv
COPY manage.py ./
COPY config config
COPY sagas sagas
COPY orders orders
COPY payments payments
COPY inventory inventory
COPY shipping shipping
COPY templates templates
COPY static static
RUN python manage.py collectstatic --no-input --verbosity 0
USER waybill
EXPOSE 8000
CMD ["gunicorn", "config.wsgi:application", "--bind", "0.0.0.0:8000", "--config", "python:config.gunicorn"]
