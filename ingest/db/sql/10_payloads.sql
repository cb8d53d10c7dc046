-- Packed payloads put together again. ingest/db/payloads.py packs them.

-- GitHub's object as JSON text: every token in the body is replaced by its phrase, by
-- the value of the run's own column or by its part. A body without phrases is whole.
create view runs_full as
select runs.*, iif(p.phrases_id = 0, p.body, (
  with recursive phrased (n, text, phrases) as (
    select 0, p.body, json_array_length(f.content)
    union all
    select
      n + 1,
      replace(
        text, char(n + iif(n < {{control_characters}}, 1, {{first_later_phrase_token}})),
        f.content ->> n
      ),
      phrases
    from phrased where n < phrases
  ),
  filled (n, text, columns) as (
    select 1, replace(text, char({{run_id_token}}), runs.run_id), json_array(
      {{run_payload_columns}}
    )
    from phrased where n = phrases
    union all
    select
      n + 1, replace(text, char({{first_column_token}} + n), coalesce(columns ->> n, '')),
      columns
    from filled where n < json_array_length(columns)
  ),
  assembled (n, text, parts) as (
    select 0, text, json_array_length(p.part_ids)
    from filled where n = json_array_length(columns)
    union all
    select n + 1, replace(text, char({{first_part_token}} + n), (
      select content from payload_parts where part_id = p.part_ids ->> n
    )), parts
    from assembled where n < parts
  )
  select text from assembled where n = parts
)) as raw_json
from runs
left join run_payloads p using (run_id)
left join payload_parts f on f.part_id = p.phrases_id;

-- A packed payload takes values from the run's row. Before such a value changes, the
-- payload is stored whole; ingest then writes the new one.
create trigger runs_keep_payload
before update of
  {{payload_columns}}
on runs
when (
  {{old_payload_columns}}
) is not (
  {{new_payload_columns}}
)
begin
  update run_payloads
  set body = (select raw_json from runs_full where run_id = old.run_id),
    phrases_id = 0, part_ids = '[]'
  where run_id = old.run_id;
end;
