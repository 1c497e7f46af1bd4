{%- set vocabularies = [
    ('stg_shop__products', 'shop.products', 'category', none), ('stg_shop__web_events', 'shop.web_events', 'event_name', 'event_at'),
    ('stg_shop__orders', 'shop.orders', 'channel', 'ordered_at'), ('stg_shop__orders', 'shop.orders', 'status', 'ordered_at'),
    ('stg_shop__orders', 'shop.orders', 'order_type', 'ordered_at'), ('stg_support__tickets', 'support.tickets', 'channel', 'opened_at'),
    ('stg_support__tickets', 'support.tickets', 'category', 'opened_at'), ('stg_support__tickets', 'support.tickets', 'priority', 'opened_at'),
    ('stg_support__tickets', 'support.tickets', 'status', 'opened_at'), ('stg_crm__opportunities', 'crm.opportunities', 'stage', 'created_at'),
    ('stg_crm__opportunities', 'crm.opportunities', 'lead_source', 'created_at'),
    ('stg_crm__opportunity_stages', 'crm.opportunity_stages', 'stage', 'entered_at'),
    ('stg_marketing__campaigns', 'marketing.campaigns', 'channel', 'started_at'),
] -%}
with channel_costs as (
    select * from {{ ref('channel_costs') }}
),

horizon as (
    select * from {{ ref('int_event_horizon') }}
),

-- Rows after the as-of date don't count: they must not change what was cleaned before it.
counted as (
    {% for model, source_table, column, event_at in vocabularies %}
    select
        '{{ source_table }}' as source_table,
        '{{ column }}' as column_name,
        words_of.{{ column }} as written_value,
        {% set known = 'filter (where ' ~ event_at ~ ' is null or words_of.' ~ event_at ~ '::date <= horizon.as_of_date)' if event_at else '' %}
        count(*) {{ known }} as n_rows,
        sum(count(*) {{ known }}) over () as n_rows_of_column
    from {{ ref(model) }} as words_of
    cross join horizon
    where words_of.{{ column }} is not null
    group by words_of.{{ column }}
    {% if not loop.last %}union all{% endif %}{% endfor %}
),

-- The tables repeat few words, so that a word's most frequent spelling is its right one.
words as (
    select
        source_table,
        column_name,
        lower({{ tidy_text('written_value') }}) as word,
        arg_max({{ tidy_text('written_value') }}, (n_rows, written_value)) as usual_spelling,
        sum(n_rows) as n_rows,
        max(n_rows_of_column) as n_rows_of_column
    from counted
    group by all
),

typos as (
    select
        rare.source_table,
        rare.column_name,
        rare.word,
        arg_max(frequent.usual_spelling, (frequent.n_rows, frequent.word)) as corrected_spelling
    from words as rare
    inner join words as frequent
        on
            frequent.source_table = rare.source_table
            and frequent.column_name = rare.column_name
            and frequent.n_rows >= greatest(1, rare.n_rows) * {{ var('vocabulary_typo_ratio') }}
            and rare.n_rows <= greatest(1, {{ var('vocabulary_typo_max_share') }} * rare.n_rows_of_column)
            and length(frequent.word) > 2
            -- 'tier 1' and 'tier 3' are two words.
            and regexp_replace(rare.word, '\D', '', 'g') = regexp_replace(frequent.word, '\D', '', 'g')
            and rare.word != frequent.word
            and {{ spelling_distance('rare.word', 'frequent.word') }} <= 1
    group by rare.source_table, rare.column_name, rare.word
),

-- A campaign's channel stands in few rows, but the channels there are is known: one letter from one of them alone is a slip.
slips as (
    select
        words.source_table,
        words.column_name,
        words.word,
        min(channel_costs.channel) as corrected_spelling
    from words
    inner join channel_costs on {{ spelling_distance('words.word', 'channel_costs.channel') }} <= 1
    where words.source_table = 'marketing.campaigns' and words.n_rows <= greatest(1, {{ var('vocabulary_typo_max_share') }} * words.n_rows_of_column)
    group by words.source_table, words.column_name, words.word
    having count(*) = 1 and min(channel_costs.channel) != words.word
),

spelt as (
    select
        counted.source_table,
        counted.column_name,
        counted.written_value,
        coalesce(typos.corrected_spelling, slips.corrected_spelling, words.usual_spelling) as value,
        case when coalesce(typos.corrected_spelling, slips.corrected_spelling) is not null then 'vocabulary_typo' else 'usual_spelling' end as rule
    from counted
    inner join words
        on
            words.source_table = counted.source_table and words.column_name = counted.column_name
            and words.word = lower({{ tidy_text('counted.written_value') }})
    left join typos on typos.source_table = words.source_table and typos.column_name = words.column_name and typos.word = words.word
    left join slips on slips.source_table = words.source_table and slips.column_name = words.column_name and slips.word = words.word
)

select * from spelt
where value is distinct from written_value
