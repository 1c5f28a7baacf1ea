"""What checkpoints cost, against the closed forms: on made-up runs whose costs are known."""

import math
from dataclasses import replace

import numpy as np
import pytest
from checkpointed import (
    ITERATION_S,
    ITERATIONS,
    RESTORE_S,
    SAVE_S,
    cells_of,
    costs_of,
    dict_of,
    doubled,
    several_sizes,
    training,
    with_timeline,
)
from fabricated import a_run, an_outcome, lost, note, timed
from hypothesis import given
from hypothesis import strategies as st

from pbtbench.measures import closed_forms, measure
from pbtbench.measures.checkpoints import Stage
from pbtbench.measures.forks import jumps
from pbtbench.report import forks

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
