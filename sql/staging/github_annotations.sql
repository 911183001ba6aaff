/*
What was said of the end of jobs that did not pass: GitHub's annotations of each of them, once they were read.

Grain: job_id
Newest: fetched_at
Touches: run_id
The runner's own words have the path .github; its errors, and its warning that the disk is full, tell why a job ended.
*/
with described as (
    select
        repository_id,
        fetched_at,
        from_json(
            payload,
            '{"job_id": "BIGINT", "run_id": "BIGINT", "annotation_count": "INTEGER",
              "annotations": [{"path": "VARCHAR", "annotation_level": "VARCHAR", "title": "VARCHAR", "message": "VARCHAR"}]}'
        ) as said
    from landing.github_annotations
)
select
    said.job_id as job_id,                       -- The job. #not_null
    said.run_id as run_id,                       -- Its run. #not_null
    repository_id,                               -- The repository that ran it. #not_null
    said.annotation_count as annotation_count,   -- Annotations that GitHub listed; NULL where it knows none of the job's.
    nullif(
        array_to_string(
            [
                one.message for one in said.annotations
                if one.path = '.github' and (one.annotation_level = 'failure' or one.message like 'You are running out of disk space%')
            ],
            chr(10)
        ),
        ''
    ) as message,                                -- What the runner said of its end, a line for each.
    fetched_at                                   -- When we read them, UTC. #version
from described
