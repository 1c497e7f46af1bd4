{#- Every raw row ends in exactly one place: raw = accepted + rejected. -#}
{% test conserves_rows(model, raw, source_table, accepted_where='true') %}
with counts as (
    select
        (select count(*) from {{ raw }}) as n_raw,
        (select count(*) from {{ model }} where {{ accepted_where }}) as n_accepted,
        (select count(*) from {{ ref('dq_rejected_rows') }} where source_table = '{{ source_table }}') as n_rejected
)

select * from counts
where n_raw != n_accepted + n_rejected
{% endtest %}
