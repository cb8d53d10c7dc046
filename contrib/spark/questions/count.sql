-- All runs. Both numbers are equal if each run is stored once.
select count(*) as runs, count(distinct run_id) as run_ids from runs
