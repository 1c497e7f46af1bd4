with fields as (
    select * from {{ ref('int_person_name_fields') }}
),

name_words as (
    select * from {{ ref('name_words') }}
),

words as (
    select
        record_id,
        part,
        unnest(string_split(name, ' ')) as word,
        generate_subscripts(string_split(name, ' '), 1) as position
    from (
        select
            record_id,
            'first' as part,
            first_name as name
        from fields
        union all
        select
            record_id,
            'last' as part,
            last_name as name
        from fields
    ) as parts_in_rows
    where name is not null
),

matched_words as (
    select
        words.*,
        name_words.kind,
        name_words.canonical,
        name_words.gender
    from words
    left join name_words
        on
            name_words.word = lower(replace(words.word, '.', ''))
            or (name_words.word = 'm.' and words.word = 'M.')
),

-- Such words are titles before the name ('Sr. Juan') and suffixes behind it ('Smith Sr.'); a part that is nothing but such words
-- ('Don') is a name all the same.
judged_words as (
    select
        *,
        min(case when kind is null then position end) over (partition by record_id, part) as first_name_position,
        max(case when kind is null then position end) over (partition by record_id, part) as last_name_position
    from matched_words
),

sorted_words as (
    select
        *,
        case
            when kind is not null and position < first_name_position then 'title'
            when kind = 'suffix' and position > last_name_position then 'suffix'
            else 'name'
        end as word_role
    from judged_words
),

joined as (
    select
        record_id,
        string_agg(word, ' ' order by position) filter (where part = 'first' and word_role = 'name') as first_name,
        string_agg(word, ' ' order by position) filter (where part = 'last' and word_role = 'name') as last_name,
        string_agg(canonical, ' ' order by part, position) filter (where word_role = 'title') as found_title,
        string_agg(canonical, ' ' order by part, position) filter (where word_role = 'suffix') as suffix
    from sorted_words
    group by record_id
),

parts as (
    select
        fields.record_id,
        coalesce(fields.title, joined.found_title) as title,
        joined.first_name,
        fields.middle_name,
        joined.last_name,
        joined.suffix
    from fields
    left join joined using (record_id)
)

select * from parts
