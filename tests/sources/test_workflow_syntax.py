"""What is read of a workflow file: times, jobs and needs, whoever wrote it and however badly."""

import random
import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from phoenix_metrics.sources.github.workflow_syntax import MOST_CRONS, MOST_JOBS, read_workflow
from phoenix_metrics.sources.items import as_text

CI = """
name: CI
on:
  push:
  schedule:
    - cron: '30  5 * * MON-FRI'
    - cron: 0 2 * * *
      timezone: Europe/Berlin
jobs:
  lint:
    runs-on: ubuntu-latest
  test:
    name: Test
    needs: lint
    strategy: {matrix: {python: [3.10, 3.12]}}
  docs_build:
    name: Docs 100% of ${{ inputs.what }} on ${{ matrix.os }}
    strategy: {matrix: "${{ fromJSON(needs.lint.outputs.systems) }}"}
  ship:
    needs: [test, docs_build, gone]
    uses: acme/shared/.github/workflows/ship.yml@v1
"""


def test_times_jobs_and_needs() -> None:
    """Keys, titles, matrices and called workflows; needs are a word or a list, and one not there is left out."""
    told = read_workflow(CI)
    assert (told["name"], told["note"]) == ("CI", None)
    assert told["schedule"] == [
        {"cron": "30 5 * * MON-FRI", "timezone": "UTC"},
        {"cron": "0 2 * * *", "timezone": "Europe/Berlin"},
    ]
    ship = "acme/shared/.github/workflows/ship.yml@v1"
    docs = r"Docs 100\% of % on %"
    assert [tuple(job.values()) for job in told["jobs"]] == [
        ("lint", ["lint"], None, [], []),
        ("test", ["Test", "Test (%)"], None, ["lint"], ["lint"]),
        ("docs_build", [docs, f"{docs} (%)"], None, [], []),
        ("ship", ["ship / %"], ship, ["test", "docs_build"], ["docs_build", "lint", "test"]),
    ]


@pytest.mark.parametrize("events", ["push", "[push, schedule]", "{schedule: }", "{schedule: [daily]}", "{schedule: 5}"])
def test_a_file_without_times_has_none(events: str) -> None:
    """An event alone, a list of events, and what GitHub would refuse."""
    told = read_workflow(f"on: {events}\njobs: {{a: {{}}}}")
    assert (told["schedule"], [job["key"] for job in told["jobs"]], told["note"]) == ([], ["a"], None)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{cron: '@daily'}", "five fields"),
        ("{cron: '0 0 31 2 *'}", "Bad day-of-month"),
        ("{cron: '* * * * *'}", "at least 5 minutes"),
        ("{cron: '0 2 * * *', timezone: Mars/Olympus}", "a time zone such as"),
        ("{cron: '0 2 * * *', timezone: ../../etc/passwd}", "a time zone such as"),
        ("{timezone: UTC}", "five fields"),
    ],
)
def test_a_time_that_is_not_understood_is_said(entry: str, expected: str) -> None:
    """The others of the file hold."""
    told = read_workflow(f"on: {{schedule: [{entry}, {{cron: '0 3 * * *'}}]}}\njobs: {{a: {{}}}}")
    assert told["schedule"] == [{"cron": "0 3 * * *", "timezone": "UTC"}]
    assert expected in told["note"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("jobs: [", "not YAML that can be read (line 1"),
        ("a: b: c", "not YAML that can be read (line 1"),
        ("a: \0", "not YAML that can be read (unacceptable character"),
        ("jobs: &a {x: *a}", "not YAML that can be read (line 1: found unconstructable recursive node"),
        ("{[a]: b}", "not YAML that can be read (line 1"),
        ("[" * 50_000, "nested too deeply"),
        ("{a: " * 50_000, "nested too deeply"),
        ("--- a\n--- b", "not YAML that can be read"),
        ("", "no jobs"),
        ("- a", "no jobs"),
        ("jobs: !!python/object/apply:os.system [false]", "no jobs"),
        ("jobs: {1 2: {}}", "its 1 jobs are not all jobs"),
        ("jobs: {a: {}, b: c}", "its 2 jobs are not all jobs"),
        (f"jobs: {{{'a' * 101}: {{}}}}", "its 1 jobs are not all jobs"),
        (f"jobs: {{{', '.join(f'a{n}: {{}}' for n in range(MOST_JOBS + 1))}}}", "are more than the 256"),
    ],
)
def test_a_broken_file_is_said(text: str, note: str) -> None:
    """It is never raised, and nothing is read of it."""
    told = read_workflow(text)
    assert note in told["note"]
    assert (list(told["schedule"]), list(told["jobs"])) == ([], [])


def test_a_file_that_repeats_itself_does_not_grow() -> None:
    """Sixty levels of ten aliases stand for more than there are atoms; what is read of it is short."""
    levels = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 60)]
    merged = [f"m{n}: &m{n}\n  <<: [{', '.join([f'*m{n - 1}'] * 10)}]" for n in range(1, 60)]
    lines = ["a0: &a0 [x]", *levels, "m0: &m0 {x: y}", *merged]
    uses = "jobs:\n  x:\n    <<: *m59\n    needs: *a59\n    name: *a59\n  y: *m59\non: {schedule: *a59}"
    told = read_workflow("\n".join([*lines, uses]))
    assert told["note"] is None
    assert [job["key"] for job in told["jobs"]] == ["x", "y"]
    assert len(as_text(told)) < 500


def test_long_words_are_cut_and_lists_bounded() -> None:
    """What could make one file large in the store."""
    crons = ", ".join(["{cron: '0 2 * * *'}"] * (MOST_CRONS + 1))
    title = "${{" * 90_000
    told = read_workflow(f"name: {'n' * 9_000}\non: {{schedule: [{crons}]}}\njobs:\n  a:\n    name: '{title}'")
    assert len(told["schedule"]) == MOST_CRONS
    assert told["note"] == "of its 21 schedules the first 20 are read"
    assert len(told["name"]) == len(told["jobs"][0]["shown_as"][0]) == 300


def test_needs_in_a_circle_end() -> None:
    """GitHub refuses them; a job never waits for itself."""
    told = read_workflow("jobs: {a: {needs: b}, b: {needs: c}, c: {needs: [a, c]}}")
    assert {job["key"]: job["waits_for"] for job in told["jobs"]} == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}


def test_all_jobs_that_can_be_are_told_apart() -> None:
    """256 in a row, each waiting for all before it."""
    keys = [f"job-{number}" for number in range(MOST_JOBS)]
    chain = "".join(f"  {key}: {{needs: {before}}}\n" for before, key in pairwise(keys))
    told = read_workflow(f"jobs:\n  {keys[0]}: {{}}\n{chain}")
    assert [len(job["waits_for"]) for job in told["jobs"]] == list(range(MOST_JOBS))


words = st.text(string.printable, max_size=20) | st.sampled_from(["on", "jobs", "needs", "cron", "schedule", "uses"])
trees = st.recursive(
    words | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=30,
)


@given(on=trees, jobs=trees, text=st.text(max_size=200), seed=st.integers(0, 2**32))
@hypothesis_settings(max_examples=200, deadline=None, derandomize=True)
def test_no_file_stops_it(on: object, jobs: object, text: str, seed: int) -> None:
    """Any text, any tree of YAML, and a good file with a few letters changed: there is an answer, and it is JSON."""
    dice = random.Random(seed)
    letters = list(CI)
    for _ in range(5):
        letters[dice.randrange(len(letters))] = dice.choice(string.printable)
    for file in (text, as_text({"on": on, "jobs": jobs}), "".join(letters)):
        told = read_workflow(file)
        assert set(told) == {"name", "schedule", "jobs", "note"}
        assert as_text(told)
        keys = {job["key"] for job in told["jobs"]}
        assert all(set(job["needs"]) <= keys and set(job["waits_for"]) <= keys for job in told["jobs"])
