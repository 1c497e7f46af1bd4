{#- Runs before every build: copies the raw tables that the run needs into the schema `raw`, every contract column as text.
    A copy, so that all models of one run see one and the same state of the source. -#}
{% macro land_raw() %}
    {% if execute and flags.WHICH in ('build', 'run') %}
        {% set sources = raw_sources() %}
        {% do raw_check_vars(sources) %}
        {% set needed = raw_needed(sources) %}
        {% do run_query('create schema if not exists raw') %}
        {% do run_query('create table if not exists raw.landed_columns '
            ~ '(source_table varchar, column_name varchar, is_required boolean, is_present boolean, is_known boolean)') %}
        {% set files = raw_files() %}
        {% for table in needed %}
            {% set n_rows = land_raw_table(table, files) %}
            {% if n_rows is not none %}
                {{ log('Landed ' ~ loop.index ~ ' of ' ~ needed | length ~ ': raw.' ~ table.identifier ~ ', ' ~ n_rows ~ ' rows', info=true) }}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}


{#- The raw contract's tables, as models/staging/_sources.yml declares them. -#}
{% macro raw_sources() %}
    {% set found = graph.sources.values() | selectattr('package_name', 'equalto', project_name)
        | rejectattr('source_name', 'equalto', 'landing') | sort(attribute='identifier') | list %}
    {{ return(found) }}
{% endmacro %}


{#- Those of them that a selected node reads; `dbt build -s dim_products` lands nothing else. -#}
{% macro raw_needed(sources) %}
    {% set wanted = [] %}
    {% for unique_id in selected_resources %}
        {% set node = graph.nodes.get(unique_id) %}
        {% if node %}{% do wanted.extend(node.depends_on.nodes) %}{% endif %}
    {% endfor %}
    {{ return(sources | selectattr('unique_id', 'in', wanted) | list) }}
{% endmacro %}


{% macro raw_check_vars(sources) %}
    {% set known = sources | map(attribute='source_name') | unique | sort | list %}
    {% if var('modules') is string or var('modules') is not sequence or var('modules') | length == 0 %}
        {{ exceptions.raise_compiler_error('var `modules` must be a list of ' ~ known | join(', ') ~ '; it is ' ~ var('modules')) }}
    {% endif %}
    {% for module in var('modules') if module not in known %}
        {{ exceptions.raise_compiler_error('var `modules` names an unknown module `' ~ module ~ '`; known are ' ~ known | join(', ')) }}
    {% endfor %}
    {% if var('raw_from') not in ('folder', 'database') %}
        {{ exceptions.raise_compiler_error('var `raw_from` must be folder or database; it is `' ~ var('raw_from') ~ '`') }}
    {% endif %}
    {% if var('raw_encoding') not in ('utf-8', 'utf-16', 'latin-1') %}
        {{ exceptions.raise_compiler_error('var `raw_encoding` must be utf-8, utf-16 or latin-1; it is `' ~ var('raw_encoding') ~ '`') }}
    {% endif %}
    {% if var('raw_from') == 'database' and not modules.re.fullmatch('[A-Za-z_][A-Za-z0-9_]*[.][A-Za-z_][A-Za-z0-9_]*', var('raw_location')) %}
        {{ exceptions.raise_compiler_error('var `raw_location` must be <attached database>.<schema>, letters, digits and _ only; it is `' ~ var('raw_location') ~ '`') }}
    {% endif %}
{% endmacro %}


{#- Lands one table and returns its number of rows; none when its module is not in use. -#}
{% macro land_raw_table(table, files) %}
    {% set target_table = 'raw.' ~ adapter.quote(table.identifier) %}
    {% set columns = table.columns.values() | map(attribute='name') | list %}
    {% set readers = [] %}
    {% if table.source_name in var('modules') %}
        {% set readers = raw_readers(table, files) %}
    {% endif %}
    {% set empty = [] %}
    {% for column in columns %}{% do empty.append('null::varchar as ' ~ adapter.quote(column)) %}{% endfor %}
    {% do run_query('create or replace table ' ~ target_table ~ ' as select 0::bigint as raw_row_id, '
        ~ empty | join(', ') ~ ', null::varchar as unreadable_line limit 0') %}
    {% do run_query("delete from raw.landed_columns where source_table = '" ~ table.source_name ~ '.' ~ table.name ~ "'") %}
    {% if not readers %}{{ return(none) }}{% endif %}
    {% for reader in readers %}
        {% do land_reader(table, target_table, columns, reader) %}
    {% endfor %}
    {{ return(run_query('select count(*) from ' ~ target_table).columns[0][0]) }}
{% endmacro %}


{#- Adds the rows of one file or database table. A reader is {from_sql, columns (name in lower case -> name as found), path or none}. -#}
{% macro land_reader(table, target_table, columns, reader) %}
    {% set missing = [] %}
    {% set selected = [] %}
    {% for column in table.columns.values() %}
        {% if column.name in reader.columns %}
            {% do selected.append(without_forgotten(table, column, reader.columns)) %}
        {% else %}
            {% do selected.append('null') %}
            {% if column.config.meta.get('required') %}{% do missing.append(column.name) %}{% endif %}
        {% endif %}
    {% endfor %}
    {% if missing %}
        {{ exceptions.raise_compiler_error('raw table ' ~ table.source_name ~ '.' ~ table.name ~ ' (' ~ reader.name ~ ') lacks the required column(s) '
            ~ missing | join(', ') ~ '; it has ' ~ reader.columns.values() | join(', ')) }}
    {% endif %}
    {% set offset = '(select count(*) from ' ~ target_table ~ ')' %}
    {% do run_query('insert into ' ~ target_table ~ ' select ' ~ offset ~ ' + row_number() over (), ' ~ selected | join(', ') ~ ', null from ' ~ reader.from_sql
        ~ where_not_forgotten(table, reader.columns)) %}
    {% if reader.path %}
        {% do land_unreadable_lines(target_table, columns, reader.path, offset) %}
    {% endif %}
    {% set source_table = table.source_name ~ '.' ~ table.name %}
    {% set listed = [] %}
    {% for column in table.columns.values() %}
        {% do listed.append("('" ~ source_table ~ "', '" ~ column.name ~ "', " ~ column.config.meta.get('required', false) ~ ', ' ~ (column.name in reader.columns) ~ ', true)') %}
    {% endfor %}
    {% for name in reader.columns.values() if name | lower not in columns %}
        {% do listed.append("('" ~ source_table ~ "', " ~ sql_literal(name) ~ ', false, true, false)') %}
        {{ log('raw table ' ~ source_table ~ ' carries the unknown column `' ~ name ~ '`: left out', info=true) }}
    {% endfor %}
    {% do run_query('insert into raw.landed_columns values ' ~ listed | join(', ')) %}
{% endmacro %}


{#- Lines that the CSV reader could not read become rows of their own: the text in `unreadable_line`, nothing else.
    A line in a wrong encoding is taken from the file's bytes, one character a byte, so that not one of them is lost. -#}
{% macro land_unreadable_lines(target_table, columns, path, offset) %}
    {% set nothing = ['null'] * (columns | length) %}
    {% do run_query("
        insert into " ~ target_table ~ "
        with lines as (
            select
                line_byte_position,
                any_value(csv_line) as csv_line,
                bool_or(error_type = 'INVALID ENCODING') as is_wrongly_encoded
            from landing_errors
            group by line_byte_position
        ),

        restored as (
            select
                line_byte_position,
                case when is_wrongly_encoded then (
                    select array_to_string(list_transform(
                        regexp_extract_all(hex(file.content[line_byte_position:line_byte_position + octet_length(encode(csv_line)) - 1]), '..'),
                        pair -> chr(('0x' || pair)::integer)), '')
                    from read_blob(" ~ sql_literal(path) ~ ") as file
                ) else csv_line end as unreadable_line
            from lines
        )

        select " ~ offset ~ " + row_number() over (order by line_byte_position), " ~ nothing | join(', ') ~ ", trim(unreadable_line, chr(13) || chr(10))
        from restored") %}
    {% do run_query('drop table landing_errors; drop table landing_scans') %}
{% endmacro %}
