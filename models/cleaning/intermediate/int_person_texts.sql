with records as (
    select * from {{ ref('int_person_records') }}
),

repaired_cells as (
    select * from {{ ref('int_texts_repaired') }}
),

repaired_records as (
    select
        source_table,
        source_key,
        {% for column in person_text_columns() %}
        max(case when column_name = '{{ column }}' then repaired_text end) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from repaired_cells
    group by source_table, source_key
),

tidied as (
    select
        records.source,
        records.record_id,
        {% for column in person_text_columns() %}
        {{ tidy_text('coalesce(repaired_records.' ~ column ~ ', records.' ~ column ~ ')') }} as {{ column }},
        {% endfor %}
        list_filter([
            {% for column in person_text_columns() %}
            case when repaired_records.{{ column }} is not null then '{{ column }}' end{{ ',' if not loop.last }}
            {% endfor %}
        ], name -> name is not null) as recoded_columns
    from records
    left join repaired_records using (source_table, source_key)
)

select * from tidied
