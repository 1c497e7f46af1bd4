{%- set imputable = {'gender': 'varchar', 'household_size': 'bigint', 'income': 'decimal(18, 4)', 'language': 'varchar'} -%}
with records as (
    select * from {{ ref('int_person_records') }}
),

texts as (
    select * from {{ ref('int_person_texts') }}
),

repaired as (
    select * from {{ ref('int_person_records_repaired') }}
),

imputed as (
    {{ imputed_columns('persons', imputable) }}
),

cleaned as (
    select
        repaired.* exclude (corrections) replace (
            {% for column in imputable %}
            coalesce(repaired.{{ column }}, imputed.{{ column }}) as {{ column }}{{ ',' if not loop.last }}
            {% endfor %}
        ),
        {% for column in imputable %}
        repaired.{{ column }} is null and imputed.{{ column }} is not null as is_{{ column }}_imputed{{ ',' if not loop.last }}
        {% endfor %}
    from repaired
    left join imputed on imputed.record_key = repaired.record_id
),

explained as (
    select
        cleaned.*,
        records.unreadable_values || {{ repairs([
            person_repair('title', "'split_off'"),
            person_repair('first_name', "coalesce(repaired.corrections.name, 'name_spelling')"),
            repair('suffix', 'null::varchar', 'cleaned.suffix', "'split_off'"),
            person_repair('middle_name', "'name_spelling'"),
            person_repair('last_name', "coalesce(repaired.corrections.name, 'name_spelling')"),
            person_repair('full_name', "'name_spelling'"),
            person_repair('gender', "'gender_word'", imputed=true),
            person_repair('email', "coalesce(repaired.corrections.email, case when repaired.email is null then 'impossible_email' else 'canonical_email' end)"),
            person_repair('phone', "case when repaired.phone is null then 'impossible_phone' else 'e164' end"),
            person_repair('mobile', "case when repaired.mobile is null then 'impossible_phone' else 'e164' end"),
            person_repair('street', "'street_word'"),
            person_repair('street_number', "'tidied_text'"),
            person_repair('address_line_2', "'tidied_text'"),
            person_repair('city', "coalesce(repaired.corrections.city, 'letter_case')"),
            person_repair('region', "'tidied_text'"),
            person_repair('postcode', "'letter_case'"),
            person_repair('country', "coalesce(repaired.corrections.country, case when repaired.country is null then 'unknown_country' else 'country_name' end)"),
            person_repair('company', "'tidied_text'"),
            person_repair('job_title', "'tidied_text'"),
            person_repair('national_id', "'tidied_text'"),
            person_repair('loyalty_id', "'tidied_text'"),
            person_repair('language', "'letter_case'", imputed=true),
            repair('birth_date', 'coalesce(records.birth_date::varchar, records.birth_date_text)', 'cleaned.birth_date::varchar', "coalesce(repaired.corrections.birth_date, 'impossible_date')"),
            repair('income', number_text('records.income'), number_text('cleaned.income'), "imputed.rules['income']"),
            repair('household_size', 'records.household_size', 'cleaned.household_size', "imputed.rules['household_size']"),
        ]) }} as repairs
    from cleaned
    inner join records using (record_id)
    inner join texts using (record_id)
    inner join repaired using (record_id)
    left join imputed on imputed.record_key = cleaned.record_id
)

select * from explained
