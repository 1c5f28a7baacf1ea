"""What checkpoints cost, against the closed forms: on made-up runs whose costs are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from fabricated import a_run, an_outcome, fork, score, started, timed
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import report
from pbtbench.measures import closed_forms
from pbtbench.measures.forks import fork_effects
from pbtbench.record import Event
from pbtbench.report import forks
from pbtbench.report.advice import headline, sentences
from pbtbench.report.checkpoint_costs import headline_table
from pbtbench.report.findings import findings
from pbtbench.report.wording import signed, size
from pbtbench.statistics.cells import cells as cells_of
from pbtbench.statistics.checkpoint_costs import laboratory, least_interval, outside
from pbtbench.store import Store

positive = st.floats(1e-4, 10)
shares = st.floats(0, 1)


class TestClosedForms:
    @given(p_s=shares, c_s=positive, q=shares, c_r=positive, s=positive)
    def test_overhead_falls_as_one_over_the_interval(self, p_s, c_s, q, c_r, s):
        one, ten = (closed_forms.asynchronous(p_s, c_s, q, c_r, k, s) for k in (1, 10))
        assert one == pytest.approx(10 * ten)
        assert 0 <= closed_forms.share(one) < 1

    @given(cost=positive, s=positive, budget=st.floats(0.01, 0.5))
    def test_the_least_interval_keeps_the_budget_and_the_one_before_does_not(self, cost, s, budget):
        k = closed_forms.least_interval(cost, s, budget)

        def taken(k):
            return closed_forms.share(closed_forms.asynchronous(1, cost, 0, 0, k, s))

        assert taken(k) <= budget * (1 + 1e-9)
        assert k == 1 or taken(k - 1) >= budget * (1 - 1e-9)

    @pytest.mark.parametrize(
        ("n", "known"), [(1, 0.0), (2, 1 / math.sqrt(math.pi)), (3, 1.5 / math.sqrt(math.pi))]
    )
    def test_the_expected_maximum_of_normals(self, n, known):
        assert closed_forms.expected_maximum(n) == pytest.approx(known, abs=1e-9)

    def test_of_many_normals_it_is_what_sampling_finds(self):
        sampled = np.random.default_rng(0).normal(size=(20_000, 16)).max(axis=1)
        assert closed_forms.expected_maximum(16) == pytest.approx(sampled.mean(), abs=0.02)

    @given(c_s=positive, c_r=positive, k=st.integers(1, 50), s=positive)
    def test_who_waits_pays_the_restore_whole(self, c_s, c_r, k, s):
        alone = closed_forms.asynchronous(0.25, c_s, 0.25, c_r, k, s)
        together = closed_forms.synchronous(c_s + c_r, 0.0, 8, k, s)
        assert together == pytest.approx(4 * alone)
        assert closed_forms.synchronous(c_s + c_r, 0.1, 8, k, s) > together

    def test_a_long_interval_hides_what_is_written_behind_it(self):
        assert closed_forms.effective_save(0.1, 2.0, 1, 0.5) == pytest.approx(1.6)
        assert closed_forms.effective_save(0.1, 2.0, 5, 0.5) == 0.1


ITERATION_S, SAVE_S, RESTORE_S, SIZE = 0.5, 0.02, 0.08, 1_000_000
ITERATIONS = 12


def training(interval, *, pause_s=0.0, state=SIZE, waits=False):
    """Two members on a worker each; at each interval member 1 forks from member 0, where decisions are
    synchronous each waits while the other's part is under way."""
    rows = [started(0, rate=0.1), started(1, rate=0.1)]
    t = [0.0, 0.0]

    def lap(worker, kind, duration, iteration, bytes=0):
        rows.append(timed(kind, t[worker], duration, worker, worker, iteration, bytes))
        t[worker] += duration

    for i in range(1, ITERATIONS + 1):
        for worker in (0, 1):
            lap(worker, "train", 0.8 * ITERATION_S + pause_s, i)
            lap(worker, "evaluate", 0.2 * ITERATION_S, i)
            rows.append(score(t[worker], worker, i, 0.1 * i + 0.5 * (worker == 0), worker))
        if interval and i % interval == 0 and i < ITERATIONS:
            t = [max(t)] * 2
            rows.append(fork(t[1], 1, 0, i, old=0.1, new=0.2))
            lap(0, "save", SAVE_S, i, state)
            if waits:
                lap(1, "wait", SAVE_S, i)
                lap(0, "wait", RESTORE_S, i)
            else:
                t[1] = max(t)
            lap(1, "restore", RESTORE_S, i, state)
    return an_outcome(*rows, wall_s=max(t), workers=2)


def a_laboratory(
    engines=("tune", "ray", "inprocess"),
    intervals=(1, 2, 3),
    sizes=(1, 16),
    synchronous=False,
    **made,
):
    for megabytes in sizes:
        for engine in engines:
            common = {
                "problem": f"lab@{megabytes}MB",
                "engine": engine,
                "iterations": ITERATIONS,
                "goal": "max",
            }
            state = SIZE * megabytes
            for k in intervals:
                run = a_run(
                    method="pbt", interval=k, method_options={"synchronous": synchronous}, **common
                )
                yield located(run), training(k, state=state, waits=synchronous, **made)
            yield located(a_run(**common)), training(None)


def located(run):
    """The problem is one; its name in the study has the size."""
    return replace(run, problem="toy.lab")


class TestCosts:
    costs = laboratory(cells_of(list(a_laboratory())), 0.1)

    def test_there_is_one_for_each_size_engine_and_interval(self):
        assert len(self.costs) == 2 * 3 * 3
        assert [c.state_bytes for c in self.costs] == sorted(c.state_bytes for c in self.costs)

    def test_a_fork_costs_its_save_and_its_restore(self):
        for c in self.costs:
            assert c.fork_s == pytest.approx(SAVE_S + RESTORE_S)
            assert c.limit_s == pytest.approx(c.state_bytes * 1e-10)
            assert c.stages["save"].s_per_gb == pytest.approx(SAVE_S / c.state_bytes * 1e9)
            assert math.isnan(c.stages["persist"].s_per_gb)

    def test_the_closed_form_is_exact_where_costs_are_constant(self):
        for c in self.costs:
            assert c.predicted == pytest.approx(c.measured)
            assert c.calibrated == (c.cell.interval == 1)

    def test_the_synchronous_form_counts_the_waits_of_all_and_no_checkpoints_at_the_end(self):
        pairs = list(a_laboratory(("ray",), (1, 2, 5, 12), synchronous=True))
        costs = laboratory(cells_of(pairs), 0.1)
        assert [c.cell.interval for c in costs] == [1, 2, 5, 12] * 2
        for c in costs:
            rounds = (ITERATIONS - 1) // c.cell.interval
            omega = rounds * (SAVE_S + RESTORE_S) / (ITERATIONS * ITERATION_S)
            assert c.measured == pytest.approx(omega)
            assert c.predicted == pytest.approx(omega)

    def test_a_pace_that_checkpoints_slow_down_is_interference_and_not_overhead(self):
        slow = list(a_laboratory(("ray",), pause_s=0.25))
        pairs = [p if p[0].interval else (p[0], training(None)) for p in slow]
        for c in laboratory(cells_of(pairs), 0.1):
            assert c.interference == pytest.approx(0.25 / (0.8 * ITERATION_S))
            assert c.predicted == pytest.approx(c.measured)

    def test_the_closed_form_is_wrong_where_they_are_not(self):
        pairs = list(a_laboratory(engines=["ray"], intervals=[1]))
        pairs += [
            (run, slower)
            for run, outcome in a_laboratory(engines=["ray"], intervals=[2])
            for slower in [doubled(outcome, "restore")]
        ]
        found = laboratory(cells_of(dict_of(pairs)), 0.1)
        off = [c.difference for c in found if not c.calibrated]
        assert off == pytest.approx([(SAVE_S + 2 * RESTORE_S) / (SAVE_S + RESTORE_S) - 1] * 2)

    def test_the_tax_is_wall_against_the_controls(self):
        for c in self.costs:
            forks = (ITERATIONS - 1) // c.cell.interval
            without = ITERATIONS * ITERATION_S
            assert c.tax.median == pytest.approx(forks * (SAVE_S + RESTORE_S) / without, rel=0.2)
            assert c.interference == pytest.approx(0)

    def test_training_that_is_slower_than_the_controls_is_interference(self):
        pairs = [
            (run, training(run.interval, pause_s=0.1) if run.interval else outcome)
            for run, outcome in a_laboratory()
        ]
        found = laboratory(cells_of(pairs), 0.1)
        assert {round(c.interference, 6) for c in found} == {0.1 / (0.8 * ITERATION_S)}

    def test_one_size_alone_is_no_laboratory(self):
        assert laboratory(cells_of(list(a_laboratory(sizes=[1]))), 0.1) == []

    def test_without_a_control_there_is_nothing_to_hold_against(self):
        pairs = [(run, outcome) for run, outcome in a_laboratory() if run.interval]
        assert laboratory(cells_of(pairs), 0.1) == []


class TestBeside:
    run = a_run(method="pbt", interval=2, goal="max", iterations=ITERATIONS)
    found = fork_effects(run, training(2))

    def test_what_a_fork_overwrites_is_discarded(self):
        """Member 1 trains two iterations between forks, and loses them at each of the five."""
        assert self.found.discarded == pytest.approx(5 * 2 / (2 * ITERATIONS))

    def test_a_donor_that_waits_is_not_stale(self):
        assert self.found.stale_steps == 0

    def test_a_donor_that_moved_on_is(self):
        moved = training(4)
        trace = moved.trace
        late = trace.t_start_s + np.where(trace.kind == "restore", 2.5 * ITERATION_S, 0)
        assert (
            fork_effects(self.run, replace(moved, trace=replace(trace, t_start_s=late))).stale_steps
            == 2
        )

    def test_a_state_saved_before_the_fork_is_as_old_as_the_fork_tells(self):
        trace = training(4).trace
        told = tuple(
            {**d, "copied": i - 3} if d and "donor" in d else d
            for d, i in zip(trace.detail, trace.iteration.tolist(), strict=True)
        )
        outcome = replace(training(4), trace=replace(trace, detail=told))
        assert fork_effects(self.run, outcome).stale_steps == 3
        assert fork_effects(self.run, outcome).jumps[0].copied == pytest.approx(0.1 + 0.5)

    def test_scores_around_a_restore(self):
        first = self.found.jumps[0]
        assert (first.member, first.iteration, first.donor) == (1, 2, 0)
        assert (first.before, first.copied) == (pytest.approx(0.2), pytest.approx(0.7))
        assert first.after == pytest.approx(0.3)

    def test_a_state_that_could_not_be_persisted_is_not_lost(self):
        def error(**detail):
            return Event(1.0, 0.0, -1, 1, 2, "error", detail={"cause": "crash", **detail})

        rows = [error(message="gone"), error(message="disk full", unpersisted=True)]
        assert fork_effects(self.run, an_outcome(*rows)).lost == 1

    def test_a_devices_memory_is_in_the_table_where_one_is_known(self):
        def told(value):
            peak = Event(1.0, 0.0, 0, -1, -1, "memory", 2_000_000, value)
            (cell,) = cells_of([(self.run, an_outcome(peak))])
            return forks.forks(
                [(cell, [(m, fork_effects(m.run, m.outcome)) for m in cell.measures])]
            )

        with_device, without = told(3e9), told(math.nan)
        assert with_device.header[-2:] == ["memory of a worker", "memory of a device"]
        assert with_device.body[0][-2:] == ["2 MB", "3 GB"]
        assert without.body[0][-1] == "2 MB"
        assert len(without.header) == len(with_device.header) - 1

    def test_who_never_forked_is_counted(self):
        assert self.found.never_perturbed == 1
        assert fork_effects(a_run(), training(None)).never_perturbed == 2


class TestReport:
    pairs = tuple(a_laboratory())
    costs = laboratory(cells_of(pairs), 0.1)

    def test_the_headline_has_a_row_for_each_size_and_the_limit(self):
        table = headline_table(self.costs)
        assert table.header[:5] == [
            "state",
            *("fork, Ray Tune", "fork, ours", "fork, in process", "fork, one memcpy"),
        ]
        assert [line[0] for line in table.body] == ["1 MB", "16 MB"]
        assert table.body[0][1:5] == ["100 ms", "100 ms", "100 ms", "100 µs"]
        assert set(headline(self.costs)) == {SIZE, 16 * SIZE}

    def test_sentences_say_what_a_fork_costs_and_which_interval_to_take(self):
        told = " ".join(sentences(self.costs))
        assert "100 ms on Ray Tune (62.5×)" in told
        assert "2 at 1 MB and 2 at 16 MB on Ray Tune" in told
        assert "off by <0.1% in the median of 12 longer intervals" in told

    def test_a_fork_that_takes_less_than_a_copy_says_why_it_can(self):
        """Here copying a gigabyte takes 100 s, and a fork of 16 MB 0.1 s."""

        def told(**made):
            pairs = list(a_laboratory(("tune", "inprocess"), (1,), **made))
            return " ".join(sentences(laboratory(cells_of(pairs), 100.0)))

        assert "100 ms in process (less than a copy: so small a state stays in the" in told()
        assert "100 ms in process (less than a copy: members of one process share" in told(
            sizes=(1, 100)
        )
        assert "100 ms on Ray Tune (less than a copy took when the study began)" in told()
        assert "×" not in told().partition(".")[0]
        moved = [
            (run, with_row(outcome, timed("transfer", 1, 1, worker=-1, size=1)))
            for run, outcome in a_laboratory(("tune", "inprocess"), (1,))
        ]
        costs = laboratory(cells_of(moved), 100.0)
        assert "the rest of it goes on behind the training" in " ".join(sentences(costs))

    @pytest.mark.parametrize("unknown", [math.nan, None, "fast", 0, -1.0, math.inf])
    def test_without_a_known_memcpy_nothing_is_held_against_it(self, unknown):
        costs = laboratory(cells_of(self.pairs), unknown)
        told = " ".join(sentences(costs))
        assert "With a state of 16 MB a fork and all saves made for it" in told
        assert "–" not in told
        assert "copy" not in told
        assert headline_table(costs).body[0][4] == "–"

    def test_a_search_that_never_forked_has_no_sentence_of_a_fork(self):
        pairs = [
            (run, training(None)) if run.interval else (run, outcome) for run, outcome in self.pairs
        ]
        assert "With a state of" not in " ".join(sentences(laboratory(cells_of(pairs), 0.1)))

    def test_page_and_tables_are_written(self, tmp_path):
        (tmp_path / "study.toml").write_text("name = 'lab'\n")
        store = Store(tmp_path)
        for run, outcome in self.pairs:
            store.write(run, outcome)
        store.write_machine({"memcpy_s_per_gb": 0.1})
        page = report.write(store, store.runs()).read_text("utf-8")
        assert "What checkpoints cost" in page
        assert "fork, one memcpy" in page
        for name in ("overhead", "stages", "closed_forms"):
            for kind in ("md", "tex", "csv"):
                assert (tmp_path / "report" / "tables" / f"{name}.{kind}").read_text("utf-8")
        assert "What came with the forks" in page
        restores = (tmp_path / "report" / "tables" / "restores.csv").read_text("utf-8").splitlines()
        assert len(restores) == 1 + sum(len(o.trace.rows("fork")) for _, o in self.pairs)
        assert restores[0].startswith("run,iteration,member,donor,before,copied,after,stale_steps")
        drawn = {f.name for f in (tmp_path / "report" / "figures").iterdir()}
        assert {"laboratory-fork.svg", "laboratory-tune-stages-by-size.svg"} <= drawn


class TestLeastIntervals:
    """Any problem gets what the laboratory does: the interval that keeps checkpoints within 5%."""

    def said(self, pairs):
        return " ".join(s for f in findings(cells_of(list(pairs))) for s in f.measured)

    def test_are_told_on_each_engine_with_the_size_of_the_state(self):
        text = self.said(a_laboratory(sizes=[1]))
        assert (
            "to stay within 5% of the time, the interval must be at least, in iterations:" in text
        )
        for on in ("in process", "on the ray engine", "on Ray Tune"):
            assert f"2 {on} (pbt k=1, state of 1 MB, one seed)" in text

    def test_need_no_control_and_no_second_interval(self):
        pairs = [(run, o) for run, o in a_laboratory(["ray"], [2], [1]) if run.interval]
        assert "2 on the ray engine (pbt k=2, state of 1 MB, one seed)" in self.said(pairs)

    @pytest.mark.parametrize("k", [1, 2, 3, 4])
    def test_are_the_same_by_whatever_interval_was_measured(self, k):
        """A save and a restore at each interval but the last, for two workers' iterations."""
        pairs = [(run, dear(o)) for run, o in a_laboratory(["ray"], [k], [1]) if run.interval]
        (cell,) = cells_of(pairs)
        each = (SAVE_S + 100 * RESTORE_S) / 2
        assert least_interval(cell) == closed_forms.least_interval(each, ITERATION_S, 0.05)

    def test_beyond_the_budget_say_so(self):
        pairs = [(run, dear(o)) for run, o in a_laboratory(["tune"], [1], [1])]
        assert "more than the budget of 12" in self.said(pairs)

    def test_are_not_told_where_nothing_was_saved(self):
        assert "to stay within" not in self.said((run, training(None)) for run, _ in a_laboratory())

    def test_scores_of_a_users_own_problem_stay_in_the_report_where_it_comes_in_several_sizes(self):
        cells = cells_of(list(a_laboratory()))
        costs = laboratory(cells, 0.1)
        assert outside(cells, costs) == cells
        shipped = [(replace(run, problem="synthetic.state_size"), o) for run, o in a_laboratory()]
        cells = cells_of(shipped)
        assert outside(cells, laboratory(cells, 0.1)) == []


def dear(outcome):
    """With restores that take a hundred times as long."""
    trace = outcome.trace
    longer = np.where(trace.kind == "restore", 100, 1) * trace.duration_s
    return replace(outcome, trace=replace(trace, duration_s=longer))


def with_row(outcome, row):
    """With one row more at the end."""
    trace = outcome.trace
    more = an_outcome(row).trace
    columns = {
        name: np.append(getattr(trace, name), getattr(more, name))
        for name in (
            "t_start_s",
            "duration_s",
            "worker",
            "member",
            "iteration",
            "kind",
            "bytes",
            "value",
        )
    }
    return replace(outcome, trace=replace(trace, **columns, detail=(*trace.detail, row.detail)))


def doubled(outcome, kind):
    trace = outcome.trace
    longer = np.where(trace.kind == kind, 2, 1) * trace.duration_s
    return replace(outcome, trace=replace(trace, duration_s=longer))


def dict_of(pairs):
    """One outcome for each run: the first."""
    found = {}
    for run, outcome in pairs:
        found.setdefault(run.id, (run, outcome))
    return list(found.values())


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "–"), (250, "250 bytes"), (1000, "1 kB"), (999_600, "1 MB"), (63_999_988, "64 MB"), (2.5e9, "2.5 GB")],
)  # fmt: skip
def test_sizes_as_people_read_them(count, text):
    assert size(count) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0.031, "+3.1%"), (-0.5, "−50%"), (0.0, "+0.0%"), (math.nan, "–"), (29, "+29×")]
)  # fmt: skip
def test_signed_shares(share, text):
    assert signed(share) == text
