-- From each product or category the next purchase is surely something.
select
    level,
    from_item_id,
    sum(probability) as total
from {{ ref('purchase_transitions') }}
group by level, from_item_id
having abs(sum(probability) - 1) > 1e-9
