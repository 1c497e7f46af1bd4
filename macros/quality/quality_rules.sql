{#- What meta.quality asks of one column: per dimension the names of the rules and one condition over the columns of
    quality_rows and `horizon`: true, false, or null where there is nothing to judge. -#}
{% macro quality_rules(column) %}
    {% set rules = column.config.meta.get('quality', {}) %}
    {% set known = ['complete', 'values', 'pattern', 'min', 'max', 'positive_where', 'references', 'not_before', 'not_after',
        'agrees_by', 'near_usual', 'not_future', 'within_days', 'matched', 'category'] %}
    {% for rule in rules if rule not in known %}
        {{ exceptions.raise_compiler_error('meta.quality of the column ' ~ column.name ~ ' has the unknown rule `' ~ rule ~ '`; known are ' ~ known | join(', ')) }}
    {% endfor %}
    {% set found = [] %}
    {% if rules.complete %}{% do found.append({'dimension': 'completeness', 'rules': 'complete', 'condition': column.name ~ ' is not null'}) %}{% endif %}
    {% for dimension, conditions in [('validity', quality_validity(column, rules)), ('consistency', quality_consistency(column, rules)),
        ('timeliness', quality_timeliness(column, rules))] if conditions %}
        {% set condition = conditions.values() | first if conditions | length == 1 else 'least(' ~ conditions.values() | join(', ') ~ ')' %}
        {% do found.append({'dimension': dimension, 'rules': conditions | join(', '),
            'condition': 'case when ' ~ column.name ~ ' is not null then ' ~ condition ~ ' end'}) %}
    {% endfor %}
    {{ return(found) }}
{% endmacro %}


{#- The column's text read as its declared type. -#}
{% macro quality_typed(column) %}
    {% set readers = {'number': read_number, 'integer': read_integer, 'date': read_date, 'timestamp': read_timestamp, 'boolean': read_boolean, 'text': read_text} %}
    {{ return(readers[column.data_type](column.name)) }}
{% endmacro %}


{% macro quality_validity(column, rules) %}
    {% set name, value, found = column.name, quality_typed(column), {} %}
    {% if column.data_type == 'text' %}
        {# Printable ASCII with single blanks is tidy; only the rest needs the slower check. #}
        {% do found.update({'tidy': "case when regexp_full_match(" ~ name ~ ", '[!-~]+( [!-~]+)*') then true else " ~ name ~ " = " ~ tidy_text(name)
            ~ " and not regexp_matches(" ~ name ~ ", '[ÃÂÅÄ][\\x{0080}-\\x{00BF}\\x{2000}-\\x{2122}]|â€') end"}) %}
    {% else %}
        {% do found.update({column.data_type: '(' ~ value ~ ' is not null)'}) %}
    {% endif %}
    {% if rules.get('values') %}{% do found.update({'values': name ~ " in ('" ~ rules.get('values') | join("', '") ~ "')"}) %}{% endif %}
    {% if rules.pattern %}{% do found.update({'pattern': 'regexp_matches(' ~ name ~ ', ' ~ sql_literal(rules.pattern) ~ ')'}) %}{% endif %}
    {% if 'min' in rules %}{% do found.update({'min': '(' ~ value ~ ' >= ' ~ sql_literal(rules.min) ~ ')'}) %}{% endif %}
    {% if 'max' in rules %}{% do found.update({'max': '(' ~ value ~ ' <= ' ~ sql_literal(rules.max) ~ ')'}) %}{% endif %}
    {% if rules.positive_where %}
        {% set parent = rules.positive_where %}
        {% do found.update({'positive_where': 'case when ' ~ read_text(parent.by) ~ ' in (select source_key from ' ~ quality_cleaned(quality_table(parent.table))
            ~ ' where ' ~ parent.column ~ ' = ' ~ sql_literal(parent.value) ~ ') then ' ~ value ~ ' > 0 end'}) %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}


{% macro quality_consistency(column, rules) %}
    {% set name, value, found = column.name, quality_typed(column), {} %}
    {% if rules.references %}
        {% do found.update({'references': '(' ~ value ~ ' in (select source_key from ' ~ quality_cleaned(quality_table(rules.references)) ~ '))'}) %}
    {% endif %}
    {% if rules.not_before %}{% do found.update({'not_before': '(' ~ value ~ ' >= ' ~ read_timestamp(rules.not_before) ~ ')'}) %}{% endif %}
    {% if rules.not_after %}{% do found.update({'not_after': '(' ~ value ~ ' <= ' ~ read_timestamp(rules.not_after) ~ ')'}) %}{% endif %}
    {% if rules.agrees_by %}
        {% set by = rules.agrees_by | join(', ') %}
        {% do found.update({'agrees_by': 'case when count(' ~ name ~ ') over (partition by ' ~ by ~ ') >= 3 and ' ~ rules.agrees_by | join(' is not null and ')
            ~ ' is not null then 2 * count(*) over (partition by ' ~ by ~ ', ' ~ name ~ ') >= count(' ~ name ~ ') over (partition by ' ~ by ~ ') end'}) %}
    {% endif %}
    {% if rules.near_usual %}
        {% set usual = 'median(' ~ value ~ ') over (partition by ' ~ rules.near_usual.by ~ ')' %}
        {% do found.update({'near_usual': '(' ~ value ~ ' between ' ~ usual ~ ' / ' ~ rules.near_usual.factor ~ ' and ' ~ usual ~ ' * ' ~ rules.near_usual.factor ~ ')'}) %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}


{% macro quality_timeliness(column, rules) %}
    {% set value, found = quality_typed(column), {} %}
    {% if rules.not_future %}{% do found.update({'not_future': '(' ~ value ~ '::date <= horizon.last_event_date)'}) %}{% endif %}
    {% if rules.within_days %}
        {% do found.update({'within_days': '(' ~ value ~ "::date >= horizon.as_of_date - " ~ rules.within_days ~ ')'}) %}
    {% endif %}
    {{ return(found) }}
{% endmacro %}
