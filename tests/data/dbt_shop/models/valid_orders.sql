{{ config(materialized='view') }}
select order_id, customer, cast(amount as double) as amount
from {{ ref('orders') }}
where amount > {{ var('least') }}
