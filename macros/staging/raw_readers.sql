{#- All files below raw_location (default: the bundled sample); none when raw data comes from a database. -#}
{% macro raw_files() %}
    {% if var('raw_from') == 'database' %}{{ return(none) }}{% endif %}
    {% set root = raw_root() %}
    {% set files = run_query('select file from glob(' ~ sql_literal(root ~ '/**') ~ ') order by file').columns[0].values() | list %}
    {% if not files %}
        {{ exceptions.raise_compiler_error('var `raw_location`: no files in the folder ' ~ root ~ '; expected <module>/<table>.csv or .parquet, e.g. shop/orders.csv') }}
    {% endif %}
    {{ return(files) }}
{% endmacro %}


{% macro raw_root() %}
    {% set root = var('raw_location') or env_var('DBT_PROJECT_DIR', '.') ~ '/seeds/sample/raw' %}
    {{ return(root.rstrip('/')) }}
{% endmacro %}


{#- How to read one raw table: a list of {name, from_sql, columns, path}, one for each file or the one database table. -#}
{% macro raw_readers(table, files) %}
    {% if var('raw_from') == 'database' %}
        {{ return([raw_database_reader(table)]) }}
    {% endif %}
    {% set stem = raw_root() ~ '/' ~ table.source_name ~ '/' ~ table.name %}
    {% set readers = [] %}
    {% for file in files | map('replace', '\\', '/') %}
        {% if file == stem ~ '.parquet' or (file.startswith(stem ~ '/') and file.endswith('.parquet')) %}
            {% do readers.append(raw_parquet_reader(file)) %}
        {% elif file == stem ~ '.csv' or (file.startswith(stem ~ '/') and file.endswith('.csv')) %}
            {% do readers.append(raw_csv_reader(file)) %}
        {% endif %}
    {% endfor %}
    {% if not readers %}
        {{ exceptions.raise_compiler_error('raw table ' ~ table.source_name ~ '.' ~ table.name ~ ' is missing: expected ' ~ stem
            ~ '.csv, .parquet or a folder of either; or leave the module out of var `modules`') }}
    {% endif %}
    {{ return(readers) }}
{% endmacro %}


{% macro raw_database_reader(table) %}
    {% set parts = var('raw_location').split('.') %}
    {% set found = run_query("select column_name from duckdb_columns() where database_name = " ~ sql_literal(parts[0])
        ~ " and schema_name = " ~ sql_literal(parts[1]) ~ " and table_name = " ~ sql_literal(table.identifier) ~ " order by column_index") %}
    {% if found.rows | length == 0 %}
        {{ exceptions.raise_compiler_error('raw table ' ~ table.source_name ~ '.' ~ table.name ~ ' is missing: expected the table ' ~ var('raw_location') ~ '.' ~ table.identifier
            ~ '; is the database attached (CRM_RAW_POSTGRES)? Or leave the module out of var `modules`') }}
    {% endif %}
    {% set from_sql = adapter.quote(parts[0]) ~ '.' ~ adapter.quote(parts[1]) ~ '.' ~ adapter.quote(table.identifier) %}
    {{ return({'name': from_sql, 'from_sql': from_sql, 'columns': raw_column_map(found.columns[0].values()), 'path': none}) }}
{% endmacro %}


{% macro raw_parquet_reader(file) %}
    {% set from_sql = 'read_parquet(' ~ sql_literal(file) ~ ')' %}
    {% set found = run_query('select column_name from (describe select * from ' ~ from_sql ~ ')') %}
    {{ return({'name': file, 'from_sql': from_sql, 'columns': raw_column_map(found.columns[0].values()), 'path': none}) }}
{% endmacro %}


{#- The header is read by itself and the rest with a fixed shape: DuckDB's dialect detection gives up on a file with broken lines. -#}
{% macro raw_csv_reader(file) %}
    {% set encoding = ", encoding='" ~ var('raw_encoding') ~ "', auto_detect=false, max_line_size=33554432" %}
    {% set lines = run_query("select line from read_csv(" ~ sql_literal(file) ~ encoding
        ~ ", header=false, columns={'line': 'VARCHAR'}, delim=chr(31), quote='', escape='', ignore_errors=true) limit 1") %}
    {% if lines.rows | length == 0 %}
        {{ exceptions.raise_compiler_error('raw file ' ~ file ~ ' is empty: expected a header line') }}
    {% endif %}
    {% set header = lines.columns[0][0] or '' %}
    {% set delimiters = [] %}
    {% for delimiter in [',', ';', '\t', '|'] %}{% do delimiters.append((header.count(delimiter), -loop.index, delimiter)) %}{% endfor %}
    {% set delimiter = (delimiters | max)[2] %}
    {% set names = [] %}
    {% for name in header.split(delimiter) %}{% do names.append(name.strip().strip('"').strip()) %}{% endfor %}
    {% set shape = [] %}
    {% for name in names %}{% do shape.append(sql_literal(name) ~ ": 'VARCHAR'") %}{% endfor %}
    {% if names | map('lower') | unique | list | length < names | length %}
        {{ exceptions.raise_compiler_error('raw file ' ~ file ~ ' has a column name twice: ' ~ names | join(', ')) }}
    {% endif %}
    {% set from_sql = 'read_csv(' ~ sql_literal(file) ~ encoding ~ ', header=true, columns={' ~ shape | join(', ') ~ "}, delim='" ~ delimiter
        ~ "', quote='\"', escape='\"', strict_mode=true, store_rejects=true, rejects_limit=0, rejects_table='landing_errors', rejects_scan='landing_scans')" %}
    {{ return({'name': file, 'from_sql': from_sql, 'columns': raw_column_map(names), 'path': file}) }}
{% endmacro %}


{% macro raw_column_map(names) %}
    {% set found = {} %}
    {% for name in names %}{% do found.update({name | lower: name}) %}{% endfor %}
    {{ return(found) }}
{% endmacro %}
