{{ config(materialized='view') }}
select e.event_time, e.product_id, e.category_code, e.brand, e.price, e.user_id, u.country
from {{ source('ecommerce', 'silver_events') }} e
left join {{ source('ecommerce', 'users') }} u on u.user_id = e.user_id
where e.event_type = 'purchase' and e.month = '2019-{{ var("month") }}'
