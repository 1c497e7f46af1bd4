{#- Rows that share a key are numbered; number 1 stays: the latest by `latest`, where the table has such a column. Rows equally
    late are ordered by their content, so that the choice does not hang on the order in which they came. -#}
{% macro copy_number(latest=none) -%}
    row_number() over ({{ copies_in_order(latest) }})
{%- endmacro %}


{% macro copies_in_order(latest=none) -%}
    partition by source_key order by {{ latest ~ ' desc nulls last, ' if latest }}content_hash
{%- endmacro %}


{#- Why a further copy is rejected: the whole row stands there already, or another row with the same key does. -#}
{% macro duplicate_reason() -%}
    case
        when source_key is not null and copy_number > 1
            then case when content_hash = kept_content_hash then 'duplicate_row' else 'duplicate_key' end
    end
{%- endmacro %}
