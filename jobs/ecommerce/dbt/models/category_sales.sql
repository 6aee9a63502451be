select
  coalesce(split(category_code, '[.]')[0], 'none') as category,
  count(*) as purchases,
  count(distinct user_id) as buyers,
  sum(price) as revenue
from {{ ref('purchases') }}
group by 1
