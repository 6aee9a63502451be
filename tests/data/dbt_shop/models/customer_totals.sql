select customer, count(*) as orders, sum(amount) as total
from {{ ref('valid_orders') }}
group by customer
