{#- The least robust standard deviation that a measure is judged by: what chance gives with n rows, or what matters in practice. With an
    alarm at 4 of them a count must change by 45 %, a share of gaps by ten points, an age by four days, an index by 0.25. -#}
{% macro least_spread(measure, usual, n_rows) -%}
    case {{ measure }}
        when 'row_count' then greatest(0.15, 1 / sqrt({{ n_rows }} + 1))
        when 'total_rows' then 0.1
        when 'freshness_days' then 1
        when 'stability_index' then 0.0625
        else greatest(0.025, sqrt({{ usual }} * (1 - {{ usual }}) / greatest({{ n_rows }}, 1)))
    end
{%- endmacro %}
