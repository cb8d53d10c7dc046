-- The log of changed runs, for readers that copy what has changed: ingest/lake. A run has
-- changed if its row, or one of its attempts or jobs, has. `store/instance.py` limits the
-- length of the log.

create trigger runs_insert_log after insert on runs
begin
  insert into run_changes (run_id) values (new.run_id);
end;

create trigger runs_update_log after update on runs
begin
  insert into run_changes (run_id) values (new.run_id);
end;

create trigger run_attempts_insert_log after insert on run_attempts
begin
  insert into run_changes (run_id) values (new.run_id);
end;

create trigger run_attempts_update_log after update on run_attempts
begin
  insert into run_changes (run_id) values (new.run_id);
end;

create trigger jobs_insert_log after insert on jobs
begin
  insert into run_changes (run_id) values (new.run_id);
end;

create trigger jobs_update_log after update on jobs
begin
  insert into run_changes (run_id) values (new.run_id);
end;
