with channel_costs as (
    select * from {{ ref('channel_costs') }}
),

counted as (
    select * from {{ ref('int_written_words') }}
),

-- The tables repeat few words, so a word's most frequent spelling is taken for the right one.
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

-- A campaign's channel stands in few rows, but the possible channels are known: one letter from exactly one of them is a typo.
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
