{%- set imputable = {'category': 'varchar', 'priority': 'varchar', 'channel': 'varchar'} -%}
with raw_tickets as (
    {{ accepted_rows('support', 'tickets') }}
),

repaired as (
    select * from {{ ref('int_tickets_repaired') }}
),

imputed as (
    {{ imputed_columns('tickets', imputable) }}
),

filled as (
    select
        repaired.* replace (
            {% for column in imputable %}
            coalesce(repaired.{{ column }}, imputed.{{ column }}) as {{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        ),
        {% for column in imputable %}
        repaired.{{ column }} is null and imputed.{{ column }} is not null as is_{{ column }}_imputed,
        {% endfor %}
        imputed.rules as imputation_rules
    from repaired
    left join imputed on imputed.record_key = repaired.source_key
),

cleaned as (
    select
        filled.* exclude (category_rule, priority_rule, status_rule, channel_rule, subject_rule, imputation_rules),
        raw_tickets.unreadable_values || {{ repairs([
            repair('closed_at', 'raw_tickets.closed_at', 'filled.closed_at', "'impossible_date'"),
            repair('channel', 'raw_tickets.channel', 'filled.channel', "coalesce(imputation_rules['channel'], filled.channel_rule)"),
            repair('category', 'raw_tickets.category', 'filled.category', "coalesce(imputation_rules['category'], filled.category_rule)"),
            repair('priority', 'raw_tickets.priority', 'filled.priority', "coalesce(imputation_rules['priority'], filled.priority_rule)"),
            repair('status', 'raw_tickets.status', 'filled.status', 'filled.status_rule'),
            repair('satisfaction', 'raw_tickets.satisfaction', 'filled.satisfaction', "'impossible_satisfaction'"),
            repair('subject', 'raw_tickets.subject', 'filled.subject', 'filled.subject_rule'),
        ]) }} as repairs
    from filled
    inner join raw_tickets using (source_key)
)

select * from cleaned
