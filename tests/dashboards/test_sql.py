"""The SQL page: any question is answered exactly or refused in words, and the tables are explained beside it."""

import csv
import hashlib
import io
import math
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from dashboards.console import chart, files, rows
from dashboards.console.examples import Example, examples
from dashboards.console.figures import Choice, figure
from dashboards.console.schema import Column, Table, matches
from phoenix_metrics import words
from phoenix_metrics.warehouse.models import load_models
from phoenix_metrics.warehouse.sandbox import Answer, Limits, Sandbox
from phoenix_metrics.warehouse.snapshot import SnapshotReader, publish
from phoenix_metrics.warehouse.store import writing
from tests.attacks import BOMBS, CHANGES, DEEP, OUTSIDE, SETTINGS
from tests.dashboards.conftest import Attempt, Organisation, Run, organisation
from tests.dashboards.conftest import publish as publish_organisation
from tests.dashboards.test_pages import PAGES

Visit = Callable[..., AppTest]
PATIENT = Limits(seconds=30, cpu_seconds=40, wall_seconds=60)
TRICKY = """
    select * from (values
        (1, 9007199254740993, 0.1::decimal(18, 4), 'nan'::double, 'NULL', [1, null], {'a': 1.50},
         timestamp '2026-03-01'),
        (null, null, null, null, null, null, null, null),
        (3, 7, 12345678.9012, 0.30000000000000004, '', [], {'a': 2}, timestamp '2026-03-01 12:00:00.000001')
    ) as t(whole, wide, amount, number, word, many, part, moment)
"""


@pytest.fixture(scope="module")
def sandbox(home: Path) -> Sandbox:
    """Return a sandbox on the organisation that waits long, however busy the machine is."""
    return Sandbox(home, PATIENT)


def text(app: AppTest) -> str:
    """Return every sentence on the page."""
    parts = [*app.title, *app.markdown, *app.caption, *app.info, *app.warning, *app.error, *app.header, *app.code]
    return "\n".join(str(part.value) for part in parts).replace(words.NBSP, " ").replace("\\", "")


def shown(app: AppTest) -> list[tuple[object, ...]]:
    """Return the rows of the answer's table."""
    return list(app.dataframe[0].value.itertuples(index=False, name=None))


def test_the_page_opens_with_an_answer(visit: Visit, home: Path, world: Organisation) -> None:
    """Without a query the first saved question is answered, by what was written down."""
    app = visit(home, "sql")
    assert app.text_area[0].value == examples()[0].query
    recent = [run for run in world.runs if run.age < timedelta(days=20)]
    failures: dict[str, int] = {}
    for run in recent:
        name = f"{run.repository} · {run.workflow}"
        failures[name] = failures.get(name, 0) + (run.final.conclusion == "failure")
    assert {row[0]: row[2] for row in shown(app)} == failures
    assert "Nothing can be changed from here" in text(app)


def test_a_link_is_answered_as_soon_as_it_is_opened(visit: Visit, home: Path) -> None:
    """The query of the address stands in the editor, its rows below, with when and of how much."""
    query = "select outcome, count(*) as runs from marts.workflow_runs group by outcome order by runs desc, outcome"
    app = visit(home, "sql", query=query)
    assert app.text_area[0].value == query
    truth = SnapshotReader(home).query(query)
    assert shown(app) == [tuple(row.values()) for row in truth.to_pylist()]
    published = words.moment(SnapshotReader(home).current().published_at).replace(words.NBSP, " ")
    assert f"{truth.num_rows} rows, 2 columns" in text(app)
    assert f"Data as of {published}. Times are UTC." in text(app)


def test_a_query_that_is_written_is_answered_and_stands_in_the_address(visit: Visit, home: Path) -> None:
    """What is run replaces the answer and goes into the address, and takes the last chart's choices out of it."""
    app = visit(home, "sql")
    app.text_area[0].set_value("select 1 as one, 2 as two")
    app.button[0].click().run()
    assert shown(app) == [(1, 2)]
    assert app.query_params["query"] in ("select 1 as one, 2 as two", ["select 1 as one, 2 as two"])
    app.selectbox(key="console_y").set_value("one").run()
    assert app.query_params["y"] in ("one", ["one"])
    app.text_area[0].set_value("select 'a' as word, 5 as five")
    app.button[0].click().run()
    assert "y" not in app.query_params
    assert app.selectbox(key="console_y").value == "five"


def test_a_saved_question_is_put_into_the_editor(visit: Visit, home: Path) -> None:
    """Choosing one shows its query and answers it."""
    app = visit(home, "sql")
    chosen = examples()[1]
    next(button for button in app.button if button.label == chosen.question).click().run()
    assert app.text_area[0].value == chosen.query
    assert list(app.dataframe[0].value.columns) == ["week", "success_ratio", "decided_runs"]


@pytest.mark.parametrize("example", examples(), ids=lambda example: example.question)
def test_every_saved_question_runs(sandbox: Sandbox, delivering_home: Path, example: Example) -> None:
    """Each is answered, on an organisation with deliveries and on one without, and says in a line what it asks."""
    assert example.question.endswith("?")
    assert "\n" not in example.question
    with_deliveries = Sandbox(delivering_home, PATIENT).answer(example.query)
    assert with_deliveries.types == sandbox.answer(example.query).types
    assert with_deliveries.cut_at is None


def test_the_last_days_are_those_up_to_the_newest_pass(tmp_path: Path) -> None:
    """The last 30 days end today, as on the pages, and not on the last day on which anything ran."""
    ages = [(10, "success"), (29, "success"), (30, "failure"), (38, "failure")]
    runs = tuple(Run(timedelta(days=age), (Attempt(conclusion, 5),)) for age, conclusion in ages)
    publish_organisation(tmp_path, Organisation(runs), datetime.now(UTC))
    answer = Sandbox(tmp_path, PATIENT).answer(examples()[0].query).values
    assert [answer[name].to_pylist() for name in ("failures", "decided_runs")] == [[0], [2]]


def test_saved_questions_about_deliveries_find_them(delivering_home: Path) -> None:
    """What runs where, how it got there and what went back is found by its question."""
    found = {
        example.question: Sandbox(delivering_home, PATIENT).answer(example.query).values.num_rows
        for example in examples()
        if any(
            f"marts.{table}" in example.query
            for table in ("environments", "delivery_weekly", "rollbacks", "deliveries")
        )
    }
    assert len(found) == 4
    assert all(found.values()), found


@pytest.mark.parametrize("page", [page for page in PAGES if page != "sql"])
def test_the_sql_of_every_panel_is_answered_here(visit: Visit, delivering_home: Path, page: str) -> None:
    """What the panels of the other pages link to is within the limits, and has the rows that they show."""
    queries = [block.value for block in visit(delivering_home, page).code if block.language == "sql"]
    assert queries
    for query in dict.fromkeys(queries):
        answer = Sandbox(delivering_home, PATIENT).answer(query)
        assert answer.values.num_rows == SnapshotReader(delivering_home).query(query).num_rows
        assert answer.cut_at is None


def test_values_are_shown_as_they_are(sandbox: Sandbox) -> None:
    """NULL, NaN, empty and long values differ on the page; numbers that a browser would blur are text."""
    answer = sandbox.answer(TRICKY)
    frame, sortable = rows.shown(answer)
    assert sortable == ["whole", "amount"]
    assert [[None if pd.isna(value) else value for value in row] for row in frame.itertuples(index=False)] == [
        [1, "9007199254740993", 0.1, "nan", "NULL", "[1, NULL]", "{'a': 1.50}", "2026-03-01 00:00:00"],
        [None] * 8,
        [3, "7", 12345678.9012, "0.30000000000000004", "", "[]", "{'a': 2.00}", "2026-03-01 12:00:00.000001"],
    ]


def test_numbers_keep_the_digits_that_duckdb_writes(visit: Visit, home: Path) -> None:
    """A number that sorts as one is written with its own digits, and NULL as NULL."""
    app = visit(home, "sql", query="select 1.10::decimal(9, 2) as price union all select null order by price")
    styler = app.dataframe[0].proto.arrow_data.styler
    displayed = pa.ipc.open_stream(styler.display_values).read_all()
    assert displayed.column(0).to_pylist() == ["1.10", "NULL"]


def test_downloads_hold_every_row_that_was_returned(sandbox: Sandbox) -> None:
    """CSV has each value as DuckDB writes it, with NULL apart from nothing; Parquet has the values with their types."""
    answer = sandbox.answer(TRICKY)
    text_ = files.csv(answer).decode()
    assert text_.splitlines()[2] == ",,,,,,,"
    assert list(csv.reader(io.StringIO(text_)))[3] == [
        *("3", "7", "12345678.9012", "0.30000000000000004", "", "[]", "{'a': 2.00}", "2026-03-01 12:00:00.000001")
    ]
    assert '"NULL"' in text_
    table = pq.read_table(io.BytesIO(files.parquet(answer)))
    assert table["amount"].to_pylist() == duckdb.sql(TRICKY).to_arrow_table()["amount"].to_pylist()
    assert math.isnan(table["number"][0].as_py())
    assert table["number"].null_count == 1
    many = sandbox.answer("select i, i % 7 as j from range(30000) t(i)")
    assert pq.read_table(io.BytesIO(files.parquet(many))).equals(many.values)
    assert len(files.csv(many).splitlines()) == 30_001


def test_a_long_answer_says_what_is_shown_and_what_is_cut(visit: Visit, home: Path) -> None:
    """The table has the first thousand rows, the downloads as many as the limit, and the page says so."""
    app = visit(home, "sql", query="from range(2500)")
    assert len(shown(app)) == 1000
    assert "The table shows the first 1,000 rows; the downloads hold all 2,500 that were returned." in text(app)
    assert "Cut off" not in text(app)
    app = visit(home, "sql", query="from range(100001)")
    assert "Cut off. The answer has more rows than these 100,000" in text(app).replace("*", "")


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("select n\nform marts.jobs", 'Line 2: syntax error at or near "marts"'),
        ("select *\nfrom jobs", 'Line 2: Table with name jobs does not exist! Did you mean "marts.jobs"?'),
        ("drop table marts.jobs", "Only a query that reads can run here"),
        ("", "Nothing to run: the query is empty."),
        ("select error('*bold* [x](http://x) <b>')", "*bold* [x](http://x) <b>"),
    ],
)
def test_errors_are_told_to_a_person(visit: Visit, home: Path, query: str, sentence: str) -> None:
    """What is wrong stands on the page, as text and not as markup; there is neither table nor chart."""
    app = visit(home, "sql", query=query)
    assert sentence in app.error[0].value.replace("\\", "")
    assert not app.dataframe
    assert not app.get("plotly_chart")


@pytest.mark.parametrize(
    "query",
    [*OUTSIDE[::4], *CHANGES[::5], *SETTINGS[::4], BOMBS[0], BOMBS[6], BOMBS[7], DEEP[0]],
    ids=lambda query: query[:40],
)
def test_attacks_are_refused_by_the_page(visit: Visit, home: Path, tmp_path: Path, query: str) -> None:
    """A link that carries an attack shows a refusal; all files are as before, and the next query is answered."""
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    snapshot = SnapshotReader(home).current().path
    before = hashlib.sha256(snapshot.read_bytes()).hexdigest()
    app = visit(home, "sql", query=query.format(file=secret, folder=tmp_path, port=9))
    assert len(app.error) == 1
    assert "hunter2" not in text(app)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.csv"]
    assert hashlib.sha256(snapshot.read_bytes()).hexdigest() == before
    app.text_area[0].set_value("select 42 as n")
    app.button[0].click().run()
    assert shown(app) == [(42,)]


def test_an_answer_stays_until_it_is_asked_again(visit: Visit, home: Path, tmp_path: Path) -> None:
    """When newer data is published, the page says so and keeps the answer; running it again answers anew."""
    shutil.copytree(home, tmp_path / "home")
    app = visit(tmp_path / "home", "sql", query="select count(*) as runs from marts.workflow_runs")
    (before,) = shown(app)
    with writing(tmp_path / "home") as connection:
        connection.execute("delete from marts.workflow_runs where outcome = 'failure'")
        publish(connection, tmp_path / "home")
    app.run()
    assert shown(app) == [before]
    assert "Newer data is there" in text(app)
    app.button[0].click().run()
    assert shown(app)[0] < before
    assert "Newer data is there" not in text(app)


def test_every_table_and_column_is_explained(visit: Visit, home: Path) -> None:
    """The browser has every mart with its sentence, and every column with its type and meaning."""
    html = _schema(visit(home, "sql"))
    models = {table: model for table, model in load_models().items() if table.startswith("marts.")}
    for table, model in models.items():
        assert f"<summary><code>{table.removeprefix('marts.')}</code>" in html
        for column in model.columns:
            assert f"<code>{column.name}</code>" in html
    assert html.count("<details") == len(models)
    assert html.count("<dt") == sum(len(model.columns) for model in models.values())


def test_the_tables_are_searched_by_name_and_meaning(visit: Visit, home: Path) -> None:
    """Each word has to be found, in a table or in one of its columns; a column that is found stands first."""
    app = visit(home, "sql")
    app.text_input(key="find").set_value("queue p95").run()
    html = _schema(app)
    assert "<code>workflow_daily</code>" in html
    assert "<code>rollbacks</code>" not in html
    daily = html[html.index("<code>workflow_daily</code>") :]
    assert daily.index("queue_p95_seconds") < daily.index("success_count")
    app.text_input(key="find").set_value("xylophone").run()
    assert "No table or column is called so." in _schema(app)


def test_searching_finds_what_has_every_word() -> None:
    """Words may come in any case and order, in the table's own words or in one column's, but not spread."""
    table = Table(
        "jobs", "Jobs of runs.", (Column("queue_seconds", "DOUBLE", "Time waited."), Column("day", "DATE", "UTC."))
    )
    assert matches(table, "")
    assert matches(table, "RUNS jobs")
    assert matches(table, "waited queue")
    assert matches(table, "date")
    assert not matches(table, "queue utc")


def _schema(app: AppTest) -> str:
    return next(
        str(element.proto.body)
        for element in app.get("html")
        if "<details" in str(element.proto.body) or "<p>No" in str(element.proto.body)
    )


def test_a_chart_draws_the_rows_that_have_values(sandbox: Sandbox) -> None:
    """A line goes from left to right in each series; NULL, NaN and what is beyond the calendar are left out."""
    answer = sandbox.answer("""
        select * from (values
            (date '2026-03-02', 2.5, 'a'), (date '2026-03-01', 1, 'a'), (date '2026-03-01', 9, null),
            (date '2026-03-03', null, 'a'), (date '2026-03-03', 'nan'::double, 'a'), (null, 4, 'a'),
            (date 'infinity', 5, 'a')
        ) as t(day, value, kind)
    """)
    choice = chart.first_choice(answer, ["value"])
    assert choice == Choice("Line", "day", "value", "kind")
    drawn = figure(chart.drawable(answer, choice), choice)
    assert {trace.name: [(str(x)[:10], y) for x, y in zip(trace.x, trace.y, strict=True)] for trace in drawn.data} == {
        "a": [("2026-03-01", 1), ("2026-03-02", 2.5)],
        "NULL": [("2026-03-01", 9)],
    }


def test_names_below_a_few_bars_are_broken_into_lines(sandbox: Sandbox) -> None:
    """Long names of a few bars stand in lines, so that they need not be turned; many stay as they are."""
    answer = sandbox.answer("select * from (values ('acme/platform · CI & Release', 1), ('b', 2)) as t(name, n)")
    choice = Choice("Bars", "name", "n", None)
    axis = figure(chart.drawable(answer, choice), choice).layout.xaxis
    assert list(axis.tickvals) == ["acme/platform · CI &amp; Release", "b"]
    assert list(axis.ticktext) == ["acme/platform ·<br>CI &amp; Release", "b"]
    many = sandbox.answer("select 'workflow number ' || i as name, i as n from range(9) as t(i)")
    assert figure(chart.drawable(many, choice), choice).layout.xaxis.ticktext is None


def test_what_a_query_calls_its_columns_is_no_markup(sandbox: Sandbox) -> None:
    """Tags in names and values are shown as they are written: a link may not bring its own links."""
    answer = sandbox.answer("""select '<a href="https://x">y</a>' as "<b>x</b>", 1 as "<i>n</i>" """)
    choice = chart.first_choice(answer, ["<i>n</i>"])
    drawn = figure(chart.drawable(answer, choice), choice)
    texts = [*drawn.data[0].x, drawn.layout.xaxis.title.text, drawn.layout.yaxis.title.text, drawn.data[0].name]
    assert not any("<" in text for text in texts)
    assert texts[0] == '&lt;a href="https://x"&gt;y&lt;/a&gt;'


def test_what_is_not_drawn_is_counted(visit: Visit, home: Path) -> None:
    """Rows without a value, rows upon each other and rows beyond the limit are told below the chart."""
    app = visit(home, "sql", query="select i % 2 as i, nullif(i, 3) as n from range(6000) t(i)", kind="Bars")
    assert "1 row without a value is not drawn." in text(app)
    assert "Only the first 5,000 of 6,000 rows are drawn." in text(app)
    assert "Several rows have the same i" in text(app)
    app = visit(home, "sql", query="select 'a' as a, null::int as n")
    assert "No row has both a and n." in text(app)


def test_an_answer_without_numbers_has_no_chart(visit: Visit, home: Path) -> None:
    """Words alone are a table; a plan is text."""
    assert not visit(home, "sql", query="select 'a' as a").selectbox
    app = visit(home, "sql", query="explain select * from marts.jobs")
    assert any("jobs" in block.value for block in app.code)


def test_before_the_first_publication_the_page_says_what_to_do(visit: Visit, tmp_path: Path) -> None:
    """Without a snapshot there is no editor, only words."""
    app = visit(tmp_path, "sql")
    assert "No data yet" in text(app)
    assert not app.text_area


def test_stale_and_partial_data_can_be_asked(visit: Visit, tmp_path: Path) -> None:
    """Stale data is called so on this page, too, and questions are answered from it; so is what is still missing."""
    world = Organisation(
        (Run(timedelta(hours=3), organisation().runs[0].attempts),), {"acme/shop": ("partial", None, 4)}
    )
    publish_organisation(tmp_path, world, datetime.now(UTC) - timedelta(hours=2))
    app = visit(tmp_path, "sql", query="select count(*) as n from marts.workflow_runs")
    assert "This data is stale." in text(app).replace("*", "")
    assert shown(app) == [(1,)]
    completeness = examples()[-1]
    answer: Answer = Sandbox(tmp_path, PATIENT).answer(completeness.query)
    assert answer.values["missing_count"].to_pylist()[0] == 4
