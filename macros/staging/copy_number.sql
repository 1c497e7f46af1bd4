{#- Rows that share a key are numbered; number 1 stays: one whose `required` column can be read before one whose can't, then the
    latest by `latest`, where the table has such columns. Rows equally late are ordered by their content, so that the choice does
    not depend on the order in which they came; of equal rows the first one stays. -#}
{% macro copy_number(latest=none, required=none) -%}
    row_number() over ({{ copies_in_order(latest, required) }})
{%- endmacro %}


{% macro copies_in_order(latest=none, required=none) -%}
    partition by source_key order by {{ required ~ ' is null asc, ' if required }}{{ latest ~ ' desc nulls last, ' if latest }}content_hash asc, raw_row_id asc
{%- endmacro %}


{#- Why a further copy is rejected: the whole row stands there already, or another row with the same key does. -#}
{% macro duplicate_reason() -%}
    case
        when source_key is not null and copy_number > 1
            then case when content_hash = kept_content_hash then 'duplicate_row' else 'duplicate_key' end
    end
{%- endmacro %}
