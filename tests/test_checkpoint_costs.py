"""What checkpoints cost, against the closed forms: on made-up runs whose costs are known."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
from fabricated import a_folder, a_run, an_outcome, fork, lost, note, score, started, timed
from hypothesis import given
from hypothesis import strategies as st

from pbtbench import report
from pbtbench.measures import closed_forms, measure
from pbtbench.measures.checkpoints import Stage
from pbtbench.measures.forks import jumps
from pbtbench.report import forks
from pbtbench.report.advice import sentences
from pbtbench.report.checkpoint_costs import headline_table
from pbtbench.report.findings import findings
from pbtbench.report.wording import signed, size
from pbtbench.statistics.cells import cells
from pbtbench.statistics.checkpoint_costs import checkpoint_costs, headline, outside
from pbtbench.statistics.intervals import least_interval

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


def training(interval, *, pause_s=0.0, state=SIZE, waits=False, copied_before=None):
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
            rows.append(score(t[worker], worker, i, 0.1 * i + 0.5 * (worker == 0)))
        if interval and i % interval == 0 and i < ITERATIONS:
            t = [max(t)] * 2
            at = -1 if copied_before is None else i - copied_before
            rows.append(fork(t[1], 1, 0, i, old=0.1, new=0.2, copied_iteration=at))
            lap(0, "save", SAVE_S, i, state)
            if waits:
                lap(1, "wait", SAVE_S, i)
                lap(0, "wait", RESTORE_S, i)
            else:
                t[1] = max(t)
            lap(1, "restore", RESTORE_S, i, state)
    return an_outcome(*rows, wall_s=max(t), workers=2)


def several_sizes(
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
                run = a_run(method="pbt", interval=k, synchronous=synchronous, **common)
                yield located(run), training(k, state=state, waits=synchronous, **made)
            yield located(a_run(**common)), training(None)


def located(run):
    """The problem is one; its name in the study has the size."""
    return replace(run, problem="toy.lab")


def costs_of(pairs, memcpy_s_per_gb=0.1):
    return checkpoint_costs(cells_of(pairs), memcpy_s_per_gb)


def cells_of(pairs):
    return cells([measure(run, outcome) for run, outcome in pairs])


class TestCosts:
    costs = costs_of(several_sizes())

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
        costs = costs_of(several_sizes(("ray",), (1, 2, 5, 12), synchronous=True))
        assert [c.cell.interval for c in costs] == [1, 2, 5, 12] * 2
        for c in costs:
            rounds = (ITERATIONS - 1) // c.cell.interval
            omega = rounds * (SAVE_S + RESTORE_S) / (ITERATIONS * ITERATION_S)
            assert c.measured == pytest.approx(omega)
            assert c.predicted == pytest.approx(omega)

    def test_a_pace_that_checkpoints_slow_down_is_interference_and_not_overhead(self):
        slow = list(several_sizes(("ray",), pause_s=0.25))
        pairs = [p if p[0].interval else (p[0], training(None)) for p in slow]
        for c in costs_of(pairs):
            assert c.interference == pytest.approx(0.25 / (0.8 * ITERATION_S))
            assert c.predicted == pytest.approx(c.measured)

    def test_the_closed_form_is_wrong_where_they_are_not(self):
        pairs = list(several_sizes(engines=["ray"], intervals=[1]))
        pairs += [
            (run, slower)
            for run, outcome in several_sizes(engines=["ray"], intervals=[2])
            for slower in [doubled(outcome, "restore")]
        ]
        found = costs_of(dict_of(pairs))
        off = [c.difference for c in found if not c.calibrated]
        assert off == pytest.approx([(SAVE_S + 2 * RESTORE_S) / (SAVE_S + RESTORE_S) - 1] * 2)

    def test_the_tax_is_wall_against_the_controls(self):
        for c in self.costs:
            forks = (ITERATIONS - 1) // c.cell.interval
            without = ITERATIONS * ITERATION_S
            assert c.tax.median == pytest.approx(forks * (SAVE_S + RESTORE_S) / without)
            assert c.interference == pytest.approx(0)

    def test_training_that_is_slower_than_the_controls_is_interference(self):
        pairs = [
            (run, training(run.interval, pause_s=0.1) if run.interval else outcome)
            for run, outcome in several_sizes()
        ]
        found = costs_of(pairs)
        assert [c.interference for c in found] == pytest.approx([0.1 / (0.8 * ITERATION_S)] * 18)

    def test_one_size_alone_is_no_study_of_costs(self):
        assert costs_of(several_sizes(sizes=[1])) == []

    def test_without_a_control_there_is_nothing_to_hold_against(self):
        pairs = [(run, outcome) for run, outcome in several_sizes() if run.interval]
        assert costs_of(pairs) == []


class TestStages:
    def test_morphing_is_a_part_of_the_restore(self):
        rows = [
            *(timed("restore", 1, 2, size=10), timed("morph", 3, 1)),
            timed("persist", 4, 5, worker=-1, size=7),
        ]
        found = measure(a_run(), an_outcome(*rows)).checkpoints
        assert found.stages["restore"] == Stage(3, 1, 10)
        assert found.stages["persist behind"] == Stage(5, 1, 7)
        assert (found.stages["persist"], found.least_persist_s) == (Stage(0, 0, 0), math.inf)

    def test_states_that_were_too_large_are_counted_with_the_store(self):
        notes = [note("spilled_beyond", value=5e6), note("spilled_beyond", value=5e6)]
        found = measure(a_run(), an_outcome(*notes)).checkpoints
        assert (found.spills, found.store_bytes) == (2, 5_000_000)

    def test_waits_before_a_worker_has_begun_to_train_are_start_up(self):
        rows = [
            *(timed("wait", 0, 1, worker=0), timed("train", 1, 1, worker=0, iteration=1)),
            *(timed("wait", 2, 4, worker=0), timed("wait", 0, 8, worker=1)),
        ]
        found = measure(a_run(), an_outcome(*rows, workers=2)).checkpoints
        assert (found.waits_s, found.after_setup_s) == (4, 9)

    def test_a_pause_lasts_from_the_last_that_ends_to_the_last_that_goes_on(self):
        """Less what each decides of its own."""
        rows = [
            *(
                timed("train", 0, 1, worker=0, iteration=1),
                timed("train", 0, 3, worker=1, iteration=1),
            ),
            timed("decide", 3, 0.5, worker=1, iteration=1),
            *(
                timed("train", 4, 1, worker=0, iteration=2),
                timed("train", 5, 1, worker=1, iteration=2),
            ),
        ]
        found = measure(a_run(interval=1), an_outcome(*rows, workers=2)).checkpoints
        assert (found.pauses, found.pause_s) == (1, 1.5)
        assert (found.squares, found.freedom) == (2.0, 2)


class TestForkEffects:
    run = a_run(method="pbt", interval=2, goal="max", iterations=ITERATIONS)

    def found(self, outcome):
        return measure(self.run, outcome).forks

    def test_what_a_fork_overwrites_is_discarded(self):
        """Member 1 trains two iterations between forks, and loses them at each of the five."""
        assert self.found(training(2)).discarded == pytest.approx(5 * 2 / (2 * ITERATIONS))

    def test_a_donor_that_waits_is_not_stale(self):
        assert self.found(training(2)).stale_steps == 0

    def test_a_donor_that_moved_on_is(self):
        moved = training(4)
        rows = moved.record.timeline
        late = rows.t_start_s + np.where(rows.of("restore"), 2.5 * ITERATION_S, 0)
        assert self.found(with_timeline(moved, replace(rows, t_start_s=late))).stale_steps == 2

    def test_a_state_saved_before_the_fork_is_as_old_as_the_fork_says(self):
        outcome = training(4, copied_before=3)
        assert self.found(outcome).stale_steps == 3
        first = jumps(self.run.card.objective, outcome.record).copied[0]
        assert first == pytest.approx(0.1 + 0.5)

    def test_scores_around_a_restore(self):
        found = jumps(self.run.card.objective, training(2).record)
        assert (found.member[0], found.iteration[0], found.donor[0]) == (1, 2, 0)
        assert (found.before[0], found.copied[0]) == (pytest.approx(0.2), pytest.approx(0.7))
        assert found.after[0] == pytest.approx(0.3)

    def test_their_medians(self):
        """Member 1 forks after iterations 2, 4, …, 10."""
        found = self.found(training(2))
        assert (found.before, found.copied) == (pytest.approx(0.6), pytest.approx(1.1))
        assert found.after == pytest.approx(0.7)

    def test_a_state_that_could_not_be_persisted_is_not_lost(self):
        rows = [lost("crash", "gone"), note("unpersisted", "disk full")]
        assert self.found(an_outcome(*rows)).lost == 1

    def test_processes_are_told_apart_by_notes_and_else_by_restarts(self):
        restarts = [timed("restart", 1, 1), timed("restart", 2, 1)]
        assert self.found(an_outcome(*restarts, workers=3)).process_starts == 5
        named = [note("process", "1"), note("process", "2"), note("process", "1")]
        assert self.found(an_outcome(*named, *restarts)).process_starts == 2

    def test_peaks_are_each_workers_highest(self):
        rows = [
            *(
                timed("memory", 1, size=5, worker=0),
                timed("memory", 2, size=3, worker=0, value=7.0),
            ),
            timed("memory", 2, size=4, worker=1),
        ]
        found = self.found(an_outcome(*rows))
        assert found.peak_memory_bytes == {0: 5, 1: 4}
        assert found.peak_device_bytes == 7
        assert math.isnan(self.found(an_outcome(rows[0])).peak_device_bytes)

    def test_a_devices_memory_is_in_the_table_where_one_is_known(self):
        def table(value):
            peak = timed("memory", 1, size=2_000_000, value=value)
            return forks.forks(cells_of([(self.run, an_outcome(peak))]))

        with_device, without = table(3e9), table(math.nan)
        assert with_device.header[-2:] == ["memory of a worker", "memory of a device"]
        assert with_device.body[0][-2:] == ["2 MB", "3 GB"]
        assert without.body[0][-1] == "2 MB"
        assert len(without.header) == len(with_device.header) - 1

    def test_who_never_forked_is_counted(self):
        assert self.found(training(2)).never_perturbed == 1
        assert self.found(training(None)).never_perturbed == 2

    def test_without_forks_there_is_nothing_around_them(self):
        found = self.found(training(None))
        assert all(map(math.isnan, (found.before, found.copied, found.after, found.stale_steps)))
        assert found.discarded == 0


class TestReport:
    pairs = tuple(several_sizes())
    costs = costs_of(pairs)

    def test_the_headline_has_a_row_for_each_size_and_the_limit(self):
        table = headline_table(self.costs)
        assert table.header[:5] == [
            "state",
            *("fork, Ray Tune", "fork, ours", "fork, in process", "fork, one memcpy"),
        ]
        assert [line[0] for line in table.body] == ["1 MB", "16 MB"]
        assert table.body[0][1:5] == ["100 ms (k=1)", "100 ms (k=1)", "100 ms (k=1)", "100 µs"]
        assert set(headline(self.costs)) == {SIZE, 16 * SIZE}

    def test_sentences_say_what_a_fork_costs_and_which_interval_to_take(self):
        text = " ".join(sentences(self.costs))
        assert "100 ms on Ray Tune at k=1 (62.5×)" in text
        assert "2 at 1 MB and 2 at 16 MB on Ray Tune" in text
        assert "off by <0.1% in the median of 12 longer intervals" in text

    def test_a_tax_says_of_each_engine_how_many_seeds_it_is_of(self):
        again = [
            (replace(run, seed=1), outcome) for run, outcome in self.pairs if run.engine != "tune"
        ]
        text = " ".join(sentences(costs_of([*self.pairs, *again])))
        assert "on Ray Tune (one seed)" in text
        assert "on the ray engine (median of 2 seeds)" in text
        assert "(PBT tax, start-up counted in; one seed)." in " ".join(sentences(self.costs))

    def test_a_fork_that_takes_less_than_a_copy_says_why_it_can(self):
        """Here copying a gigabyte takes 100 s, and a fork of 16 MB 0.1 s."""

        def said(**made):
            pairs = list(several_sizes(("tune", "inprocess"), (1,), **made))
            return " ".join(sentences(costs_of(pairs, 100.0)))

        assert "100 ms in process at k=1 (less than a copy: so small a state stays in the" in said()
        assert "100 ms in process at k=1 (less than a copy: members of one process share" in said(
            sizes=(1, 100)
        )
        assert "100 ms on Ray Tune at k=1 (less than a copy took when the study began)" in said()
        assert "×" not in said().partition(".")[0]
        moved = [
            (run, with_row(outcome, timed("transfer", 1, 1, worker=-1, size=1)))
            for run, outcome in several_sizes(("tune", "inprocess"), (1,))
        ]
        costs = costs_of(moved, 100.0)
        assert "the rest of it goes on behind the training" in " ".join(sentences(costs))

    @pytest.mark.parametrize("unknown", [math.nan, None, "fast", 0, -1.0, math.inf])
    def test_without_a_known_memcpy_nothing_is_held_against_it(self, unknown):
        costs = costs_of(self.pairs, unknown)
        text = " ".join(sentences(costs))
        assert "With a state of 16 MB a fork and all saves made for it" in text
        assert "–" not in text
        assert "copy" not in text
        assert headline_table(costs).body[0][4] == "–"

    def test_a_search_that_never_forked_has_no_sentence_of_a_fork(self):
        pairs = [
            (run, training(None)) if run.interval else (run, outcome) for run, outcome in self.pairs
        ]
        assert "With a state of" not in " ".join(sentences(costs_of(pairs)))

    def test_page_and_tables_are_written(self, tmp_path):
        store = a_folder(tmp_path, *self.pairs)
        store.write_machine({"memcpy_s_per_gb": 0.1})
        page = report.write(store, store.runs()).read_text("utf-8")
        assert "What checkpoints cost" in page
        assert "fork, one memcpy" in page
        assert "What came with the forks" in page
        for name in ("overhead", "stages", "closed_forms"):
            for kind in ("md", "tex", "csv"):
                assert (tmp_path / "report" / "tables" / f"{name}.{kind}").read_text("utf-8")
        drawn = {f.name for f in (tmp_path / "report" / "figures").iterdir()}
        assert {"checkpoint-costs-fork.svg", "checkpoint-costs-tune-stages-by-size.svg"} <= drawn


class TestLeastIntervals:
    """Any problem gets what a study of costs does: the interval that keeps checkpoints within 5%."""

    def said(self, pairs):
        return " ".join(s for f in findings(cells_of(pairs)) for s in f.measured)

    def test_are_told_on_each_engine_with_the_size_of_the_state(self):
        text = self.said(several_sizes(sizes=[1]))
        assert (
            "to stay within 5% of the time, the interval must be at least, in iterations:" in text
        )
        for on in ("in process", "on the ray engine", "on Ray Tune"):
            assert f"2 {on} (pbt k=1, state of 1 MB, one seed)" in text

    def test_need_no_control_and_no_second_interval(self):
        pairs = [(run, o) for run, o in several_sizes(["ray"], [2], [1]) if run.interval]
        assert "2 on the ray engine (pbt k=2, state of 1 MB, one seed)" in self.said(pairs)

    @pytest.mark.parametrize("k", [1, 2, 3, 4])
    def test_are_the_same_by_whatever_interval_was_measured(self, k):
        """A save and a restore at each interval but the last, for two workers' iterations."""
        pairs = [(run, dear(o)) for run, o in several_sizes(["ray"], [k], [1]) if run.interval]
        (cell,) = cells_of(pairs)
        each = (SAVE_S + 100 * RESTORE_S) / 2
        assert least_interval(cell) == closed_forms.least_interval(each, ITERATION_S, 0.05)

    def test_beyond_the_budget_say_so(self):
        pairs = [(run, dear(o)) for run, o in several_sizes(["tune"], [1], [1])]
        assert "more than the budget of 12" in self.said(pairs)

    def test_are_not_told_where_nothing_was_saved(self):
        assert "to stay within" not in self.said(
            (run, training(None)) for run, _ in several_sizes()
        )

    def test_scores_of_a_users_own_problem_stay_in_the_report_where_it_comes_in_several_sizes(self):
        found = cells_of(several_sizes())
        assert outside(found, checkpoint_costs(found, 0.1)) == found
        shipped = [(replace(run, problem="synthetic.state_size"), o) for run, o in several_sizes()]
        found = cells_of(shipped)
        assert outside(found, checkpoint_costs(found, 0.1)) == []


def dear(outcome):
    """With restores that take a hundred times as long."""
    return longer(outcome, "restore", 100)


def doubled(outcome, kind):
    return longer(outcome, kind, 2)


def longer(outcome, kind, times):
    rows = outcome.record.timeline
    lasting = np.where(rows.of(kind), times, 1) * rows.duration_s
    return with_timeline(outcome, replace(rows, duration_s=lasting))


def with_row(outcome, row):
    """With one row more."""
    rows, more = outcome.record.timeline, an_outcome(row).record.timeline
    both = [np.append(getattr(rows, f.name), getattr(more, f.name)) for f in fields(rows)]
    return with_timeline(outcome, type(rows).ordered(*both))


def with_timeline(outcome, rows):
    return replace(outcome, record=replace(outcome.record, timeline=rows))


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
    ("share", "text"), [(0.031, "+3.1%"), (-0.5, "−50%"), (0.0, "+0.0%"), (math.nan, "–"), (29, "+2,900%")]
)  # fmt: skip
def test_signed_shares(share, text):
    assert signed(share) == text
