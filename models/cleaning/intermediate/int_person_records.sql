{%- set tables = {'crm': 'contacts', 'shop': 'customers', 'support': 'requesters', 'marketing': 'subscribers'} -%}
with accepted as (
    {% for module, table in tables.items() %}
    select
        '{{ module }}' as source,
        '{{ module }}.{{ table }}' as source_table,
        source_key,
        '{{ module }}:' || source_key as record_id,
        {{ person_text_columns() | join(', ') }},
        birth_date_text,
        birth_date,
        income,
        household_size,
        created_at,
        updated_at,
        {{ 'has_consent' if module == 'marketing' else 'null::boolean' }} as has_consent,
        {{ 'unsubscribed_at' if module == 'marketing' else 'null::timestamp' }} as unsubscribed_at,
        unreadable_values
    from ({{ accepted_rows(module, table) }})
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select * from accepted
