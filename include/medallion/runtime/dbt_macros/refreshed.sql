{#- The two materializations that dbt-databricks has and dbt-spark lacks, over the SQL statements of the same name. -#}

{% macro medallion_build_refreshed(opening) %}
  {%- set target = this.incorporate(type='table') -%}
  {%- set there = load_cached_relation(this) -%}
  {%- set parts = config.get('partition_by') -%}
  {{ run_hooks(pre_hooks) }}
  {%- if there is not none and (there.is_view or should_full_refresh()) -%}
    {%- do adapter.drop_relation(there) -%}
  {%- endif -%}
  {%- call statement('main') -%}
    {{ opening }} {{ this }}
    {% if parts %}PARTITIONED BY ({{ parts if parts is string else parts | join(', ') }}){% endif %}
    AS {{ sql }}
  {%- endcall -%}
  {%- do persist_docs(target, model) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmacro %}

{% materialization streaming_table, adapter='spark' %}
  {{ return(medallion_build_refreshed('CREATE OR REFRESH STREAMING TABLE')) }}
{% endmaterialization %}

{% materialization materialized_view, adapter='spark' %}
  {{ return(medallion_build_refreshed('CREATE OR REPLACE MATERIALIZED VIEW')) }}
{% endmaterialization %}
