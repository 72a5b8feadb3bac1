"""What makes the database itself open to SQL: views of one row per reply, question, score and run.

The rows behind them are stored for asking: a cell holds its keys, and each reading its choices, one after another in a
blob. The views take the bytes of one item out of them, beside the plain table `questions` that the store keeps of what
was asked. They are part of a named migration: a later form of a view is a migration of its own.
"""

from __future__ import annotations

_MODELS = """
    model_rows AS MATERIALIZED (
        SELECT id AS model_id, coalesce(
            (SELECT name FROM shown_models s WHERE s.model_id = m.id),
            spec || CASE WHEN (SELECT count(*) FROM models o WHERE o.spec = m.spec
                               AND o.id IN (SELECT model_id FROM cells)) > 1 THEN ' #' || id ELSE '' END
        ) AS model FROM models m
    )"""
_SETS = """
    set_rows AS MATERIALIZED (
        SELECT id AS set_id, name AS "set", row_number() OVER (PARTITION BY name ORDER BY id) AS set_version
        FROM sets WHERE id IN (SELECT set_id FROM cells)
    )"""
# Of each cell the reading that scores show unless told otherwise, as it was last read; one from before a reply was
# replaced is none.
_READINGS = """
    newest AS MATERIALIZED (
        SELECT cell_id, stored, reading, max(at) FROM (
            SELECT cell_id, reading AS stored, substr(reading, 1, instr(reading, '@') - 1) AS reading,
                read_at + CAST(substr(reading, instr(reading, '@') + 1) AS INTEGER) * 1e-6 AS at
            FROM readings WHERE CAST(stamp AS INTEGER) = (SELECT value FROM generation)
        ) WHERE reading IN ('standard', 'probabilities', 'sum', 'open') GROUP BY cell_id
    )"""
_CELLS = f"""{_MODELS},{_SETS},{_READINGS},
    asked AS MATERIALIZED (
        SELECT c.id AS cell_id, c.model_id, m.model, c.set_id, s."set", s.set_version, c.language, c.prompt, c.ask,
            n.reading, n.stored, c.source, c.settings, c.rotation, c.repeat
        FROM cells c JOIN model_rows m USING (model_id) JOIN set_rows s USING (set_id)
        LEFT JOIN newest n ON n.cell_id = c.id
    )"""
_PLACES = "x'" + bytes(range(128)).hex() + "'"
_CHOICE = "substr(r.choices, q.position + 1, 1)"
_CODE = "substr(r.reasons, q.position + 1, 1)"
_NUMBER = f"(instr({_PLACES}, {_CHOICE}) - 1)"
_NO_ANSWER, _MISSING, _OTHER, _ELSEWHERE = ("x'FF'", "x'FE'", "x'FD'", "x'FC'")
_UNREAD = f"coalesce({_CHOICE}, {_MISSING}) = {_MISSING}"
_REASON = f"(SELECT name FROM reason_names WHERE code = {_CODE})"
_TIME = "strftime('%Y-%m-%dT%H:%M:%S+00:00', {}, 'unixepoch')"

_REPLIES = f"""
    CREATE VIEW replies AS WITH {_CELLS}
    SELECT a.model, a."set", a.set_version, a.language, q.item, q.question, q.context, q.options, q.gold, q.answer,
        q.tags, a.prompt, a.ask, a.reading, a.source, a.settings, a.rotation, a.repeat, k.text AS reply,
        CASE WHEN {_NUMBER} >= 0 THEN {_NUMBER} END AS choice,
        CASE WHEN {_NUMBER} >= 0 THEN json_extract(q.options, '$[' || {_NUMBER} || ']') END AS chosen,
        CASE WHEN NOT {_UNREAD} THEN {_NUMBER} = q.gold END AS correct,
        CASE WHEN a.ask = 'open' AND NOT {_UNREAD} THEN CASE
            WHEN {_NUMBER} = q.gold THEN 'right'
            WHEN {_CHOICE} = {_ELSEWHERE} THEN 'right in another language'
            WHEN {_CHOICE} = {_NO_ANSWER} THEN coalesce({_REASON}, 'unknown') ELSE 'wrong' END END AS verdict,
        CASE WHEN {_CHOICE} = {_ELSEWHERE} THEN (
            SELECT language FROM set_languages l WHERE l.set_id = a.set_id AND l.code = {_CODE}
        ) END AS answer_language,
        CASE WHEN {_CHOICE} = {_NO_ANSWER} THEN {_REASON} END AS reason,
        CASE WHEN k.choice_logprobs IS NULL OR a.rotation = 0 THEN k.choice_logprobs ELSE
            (SELECT json_group_array(json_extract(k.choice_logprobs, '$[' || (
                (j.key - a.rotation % json_array_length(k.choice_logprobs) + json_array_length(k.choice_logprobs))
                % json_array_length(k.choice_logprobs)) || ']')) FROM json_each(k.choice_logprobs) j) END AS logprobs,
        k.finish_reason, k.thinking, k.input_tokens, k.output_tokens, k.cached_tokens, k.reasoning_tokens, k.cost,
        k.latency_s, k.model_served, {_TIME.format("k.created_at")} AS asked_at
    FROM asked a JOIN cells c ON c.id = a.cell_id JOIN questions q ON q.set_id = a.set_id AND q.language = a.language
    JOIN completions k ON k.key = substr(c.keys, 16 * q.position + 1, 16)
    LEFT JOIN readings r ON r.cell_id = a.cell_id AND r.reading = a.stored"""

_ITEMS = f"""
    CREATE VIEW items AS WITH {_SETS}
    SELECT s."set", s.set_version, q.language, q.item, q.question, q.context, q.options, q.gold, q.answer, q.tags,
        q.cluster
    FROM set_rows s JOIN questions q USING (set_id)"""

_SCORES = f"""
    CREATE VIEW scores AS WITH {_CELLS},
    paired AS MATERIALIZED (
        SELECT a.*, e.cell_id AS anchor_cell, e.stored AS anchor_stored
        FROM asked a LEFT JOIN asked e ON e.language = 'en' AND a.language <> 'en' AND e.model_id = a.model_id
            AND e.set_id = a.set_id AND e.prompt = a.prompt AND e.ask = a.ask AND e.reading = a.reading
            AND e.source = a.source AND e.settings = a.settings AND e.rotation = a.rotation AND e.repeat = a.repeat
        WHERE a.stored IS NOT NULL
    ),
    judged AS (
        SELECT a.cell_id, q.options, {_CHOICE} AS said, {_NUMBER} = q.gold AS correct,
            CASE WHEN substr(e.choices, q.position + 1, 1) <> {_MISSING}
                THEN instr({_PLACES}, substr(e.choices, q.position + 1, 1)) - 1 = q.gold END AS there
        FROM paired a CROSS JOIN readings r ON r.cell_id = a.cell_id AND r.reading = a.stored
        LEFT JOIN readings e ON e.cell_id = a.anchor_cell AND e.reading = a.anchor_stored
        CROSS JOIN questions q ON q.set_id = a.set_id AND q.language = a.language
        WHERE said <> {_MISSING}
    ),
    counted AS (
        SELECT cell_id, count(*) AS n, sum(said <> {_NO_ANSWER}) AS answered, avg(correct) AS accuracy,
            avg(said = {_NO_ANSWER}) AS no_answer_rate, avg(1.0 / json_array_length(options)) AS chance,
            1.0 * sum(correct AND there) / sum((correct OR there) AND there IS NOT NULL) AS en_co
        FROM judged GROUP BY cell_id
    )
    SELECT a.model, a."set", a.set_version, a.language, a.prompt, a.ask, a.reading, a.source, a.settings, a.rotation,
        a.repeat, c.n, c.answered, c.accuracy, c.no_answer_rate, CASE WHEN a.ask <> 'open' THEN c.chance END AS chance,
        c.en_co
    FROM counted c JOIN asked a USING (cell_id)"""

_RUNS = f"""
    CREATE VIEW runs AS
    SELECT id AS run, {_TIME.format("created_at")} AS started_at, {_TIME.format("finished_at")} AS finished_at, status,
        json_extract(config, '$.models') AS models, json_extract(config, '$.sets') AS sets,
        json_extract(config, '$.languages') AS languages, json_extract(config, '$.prompt') AS prompt,
        json_extract(config, '$.ask') AS ask,
        (SELECT coalesce(sum(length(positions) / 4), 0) FROM run_cells c WHERE c.run_id = r.id) AS asked,
        json_extract(config, '$.tag') AS tag, notes, events, config
    FROM kept_runs r ORDER BY created_at"""

SQL_VIEWS = f"""
    ALTER TABLE runs RENAME TO kept_runs;
    -- What was asked, unpacked; what was never asked stays in set_blocks alone.
    CREATE TABLE questions (
        set_id INTEGER NOT NULL,
        language TEXT NOT NULL,
        position INTEGER NOT NULL,
        item TEXT NOT NULL,
        question TEXT NOT NULL,
        context TEXT,
        options TEXT NOT NULL,
        gold INTEGER NOT NULL,
        answer TEXT NOT NULL,
        tags TEXT NOT NULL,
        cluster TEXT,
        PRIMARY KEY (set_id, language, position)
    ) WITHOUT ROWID;
    CREATE INDEX questions_item ON questions(item, set_id, language);
    CREATE TABLE set_languages (
        set_id INTEGER NOT NULL, code BLOB NOT NULL, language TEXT NOT NULL, PRIMARY KEY (set_id, code)
    ) WITHOUT ROWID;
    CREATE TABLE reason_names (code BLOB PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
    ALTER TABLE readings ADD COLUMN read_at REAL NOT NULL DEFAULT 0;
    CREATE TABLE shown_models (model_id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    {_REPLIES};
    {_ITEMS};
    {_SCORES};
    {_RUNS};
"""

_ANSWER_LANGUAGE = "END AS answer_language,"
_WRITTEN = f"""
        CASE WHEN a.ask = 'open' AND NOT {_UNREAD} THEN (
            SELECT text FROM written_answers w WHERE w.cell_id = a.cell_id AND w.position = q.position
        ) END AS written,"""

WRITTEN = f"""
    -- What each open reply wrote as its answer, by the reading that is kept beside it.
    CREATE TABLE written_answers (
        cell_id INTEGER NOT NULL, position INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (cell_id, position)
    ) WITHOUT ROWID;
    -- Read once more when they are next scored, to have it too.
    DELETE FROM readings WHERE reading LIKE 'open@%';
    DROP VIEW replies;
    {_REPLIES.replace(_ANSWER_LANGUAGE, _ANSWER_LANGUAGE + _WRITTEN)};
"""
