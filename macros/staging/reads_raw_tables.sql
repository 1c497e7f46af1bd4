{#- Declares that a model reads the staging model of every raw table and, with `cleaned`, the model of its accepted rows, too. dbt learns
    what a model reads while it parses, before it knows the raw contract, so the names stand here, once; a run stops where they are not
    those of the contract. -#}
{% macro reads_raw_tables(cleaned=false) %}
    {% set tables = {
        'crm': ['contacts', 'opportunities', 'opportunity_stages'],
        'marketing': ['campaigns', 'subscribers', 'touches'],
        'shop': ['customers', 'order_lines', 'orders', 'products', 'web_events'],
        'support': ['requesters', 'tickets'],
    } %}
    {% set cleaned_models = [
        'int_campaigns_cleaned', 'int_opportunities_cleaned', 'int_opportunity_stages_cleaned', 'int_order_lines_cleaned',
        'int_orders_cleaned', 'int_person_records_cleaned', 'int_products_cleaned', 'int_tickets_cleaned', 'int_touches_cleaned',
        'int_web_events_cleaned',
    ] %}
    {% set named = [] %}
    {% for module, names in tables.items() %}
        {% for name in names %}
            {% do ref('stg_' ~ module ~ '__' ~ name) %}
            {% do named.append(module ~ '.' ~ name) %}
        {% endfor %}
    {% endfor %}
    {% if cleaned %}
        {% for model in cleaned_models %}{% do ref(model) %}{% endfor %}
    {% endif %}
    {% if execute %}
        {% set declared = [] %}
        {% set declared_models = [] %}
        {% for source in raw_sources() %}
            {% do declared.append(source.source_name ~ '.' ~ source.name) %}
            {% do declared_models.append(source.config.meta.cleaned) %}
        {% endfor %}
        {% if declared | sort != named | sort or declared_models | unique | sort != cleaned_models | sort %}
            {{ exceptions.raise_compiler_error('macros/staging/reads_raw_tables.sql must name the raw tables of _sources.yml and the '
                ~ 'models of `meta.cleaned`; it names ' ~ named | sort | join(', ') ~ ' and ' ~ cleaned_models | sort | join(', ')) }}
        {% endif %}
    {% endif %}
{% endmacro %}
