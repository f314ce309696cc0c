#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every row of the golden tables through the program `cairn privacy` and compares.

usage: bench/golden.py [--cairn PATH] [--tables DIR] [--only STEM]

Tolerances are those of the tables' README. Calibrated noise is also tried from below: a millionth
less must cost more than the target. Exit 1 when a row misses. The tables are tests/vectors/ (the
same files) unless --tables names another folder. secagg_graph_params and audit_one_run have no verb
under `cairn privacy`; tests/crypto/test_graph.c and tests/privacy/test_audit.c read them.
"""
import argparse
import csv
import json
import math
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parent.parent
CAIRN = None


class Row:
    """One row and what was said against it."""

    def __init__(self, stem, number, values):
        self.stem, self.number, self.values, self.faults, self.slowest = stem, number, values, [], 0

    def f(self, name):
        text = self.values[name]
        return math.exp(-0.5) if text == 'e-0.5' else float(text)

    def has(self, name):
        return self.values.get(name, '') not in ('', 'None', 'nan')

    def expect(self, holds, what):
        if not holds:
            self.faults.append(what)

    def near(self, name, got, want, relative, absolute=0.0):
        off = abs(got - want)
        self.expect(off <= relative * abs(want) + absolute, f'{name}: {got!r}, not {want!r}')

    def ask(self, verb, **options):
        command = [CAIRN, 'privacy', verb, '--json']
        for name, value in options.items():
            if value is not None:
                command += ['--' + name.replace('_', '-'), str(value)]
        started = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        self.slowest = max(self.slowest, time.monotonic() - started)
        answer = json.loads(done.stdout) if done.stdout else {}
        if done.returncode != 0:
            self.faults.append(f'exit {done.returncode}: {" ".join(command)}: {answer}')
            return None
        return answer


def poisson(row, adjacency):
    got = row.ask('epsilon', mechanism='gaussian', noise_multiplier=row.values['noise_multiplier'],
                  sampling_rate=row.values['q'], steps=row.values['steps'],
                  delta=row.values['delta'], adjacency=adjacency)
    if not got:
        return
    truth, slack = row.f('eps_exact'), row.f('exact_err_est') if row.has('exact_err_est') else 0
    # At q = 1, and wherever the reference is as good, a relative 1e-9 is what may be missing.
    row.expect(got['epsilon_pld'] >= truth * (1 - 1e-9) - max(slack, 1e-12),
               f'epsilon_pld {got["epsilon_pld"]!r} below the truth {truth!r}')
    row.expect(got['epsilon_pld'] <= truth + 2e-3,
               f'epsilon_pld {got["epsilon_pld"]!r} far above {truth!r}')
    row.expect(got['epsilon_pld_lower'] <= truth * (1 + 1e-9) + max(slack, 1e-12),
               f'epsilon_pld_lower {got["epsilon_pld_lower"]!r} above the truth {truth!r}')
    row.expect(got['epsilon_pld_lower'] <= got['epsilon_pld'], 'the bracket is upside down')
    if row.has('eps_rdp_cont'):
        low, high = row.f('eps_rdp_cont'), row.f('eps_rdp_grid')
        row.expect(low * (1 - 1e-9) <= got['epsilon_rdp'] <= high * (1 + 1e-6),
                   f'epsilon_rdp {got["epsilon_rdp"]!r} not in [{low!r}, {high!r}]')


def gaussian_eps(row):
    got = row.ask('epsilon', mechanism='gaussian', noise_multiplier=row.values['sigma'],
                  sampling_rate=1, steps=1, delta=row.values['delta'])
    if got:
        row.near('epsilon_pld', got['epsilon_pld'], row.f('eps_mpmath'), 1e-9)


def gaussian_delta(row):
    got = row.ask('delta', mechanism='gaussian', noise_multiplier=row.values['sigma'],
                  sampling_rate=1, steps=1, epsilon=row.values['epsilon'])
    truth = row.f('delta_mpmath')
    if got:
        row.near('delta_pld', got['delta_pld'], truth, 1e-9, 1e-300)
        row.expect(got['delta_pld'] >= truth * (1 - 1e-9), 'delta is below the truth')


def gaussian_sigma(row):
    options = dict(mechanism='gaussian', sampling_rate=1, steps=1, delta=row.values['delta'])
    got = row.ask('calibrate', epsilon=row.values['epsilon'], **options)
    if not got:
        return
    row.near('noise_multiplier', got['noise_multiplier'], row.f('sigma_mpmath'), 1e-9)
    both_sides(row, got, row.f('epsilon'), 'noise_multiplier', options)


def both_sides(row, got, target, option, options):
    """The noise that was found keeps the target; a millionth less does not."""
    for factor, keeps in ((1, True), (1 - 1e-6, False)):
        again = row.ask('epsilon', **{option: repr(got['noise'] * factor)}, **options)
        if again:
            row.expect((again['epsilon'] <= target) == keeps,
                       f'noise {got["noise"]!r} * {factor!r} costs {again["epsilon"]!r}')


def calibration(row):
    options = dict(mechanism='gaussian', sampling_rate=row.values['q'], steps=row.values['steps'],
                   delta=row.values['delta'])
    got = row.ask('calibrate', epsilon=row.values['target_epsilon'], **options)
    if not got:
        return
    row.near('noise_multiplier_pld', got['noise_multiplier_pld'], row.f('z_exact'), 2e-4)
    row.expect(got['noise_multiplier_pld'] >= row.f('z_exact') * (1 - 1e-8),
               f'noise {got["noise_multiplier_pld"]!r} below {row.f("z_exact")!r}')
    row.near('noise_multiplier_rdp', got['noise_multiplier_rdp'], row.f('z_rdp_grid'), 1e-5)
    both_sides(row, got, row.f('target_epsilon'), 'noise_multiplier', options)


def laplace(row):
    options = dict(mechanism='laplace', scale=row.values['b_over_sensitivity'],
                   steps=row.values['steps'], delta=row.values['delta'])
    got = row.ask('epsilon', **options)
    if not got:
        return
    truth = row.f('eps_exact') if row.has('eps_exact') else row.f('eps_pld')
    row.near('epsilon', got['epsilon'], truth, 0, 1e-3)
    row.expect(got['epsilon'] >= row.f('eps_pld_lower'), 'below the lower bracket')
    row.expect(got['epsilon_pld_lower'] <= got['epsilon'] + 1e-12, 'the bracket is upside down')
    if row.f('delta') > 0:
        row.expect(got['epsilon_rdp'] >= truth - 2e-5, 'epsilon_rdp below the truth')


def rdp(row):
    got = row.ask('epsilon', mechanism='gaussian', noise_multiplier=row.values['noise_multiplier'],
                  sampling_rate=row.values['q'], steps=1, delta=1e-5, order=row.values['order'])
    if got:
        truth = row.f('rdp_mpmath')
        row.near('rdp_at_order', got['rdp_at_order'], truth, 1e-8, 1e-13)
        row.expect(got['rdp_at_order'] >= truth * (1 - 1e-8) - 1e-13, 'below the truth')


def skellam(row):
    got = row.ask('epsilon', mechanism='skellam', l2=row.values['l2_sens_int'],
                  l1=row.values['l1_sens_int'], variance=row.values['total_variance'], steps=1,
                  delta=1e-5, order=row.values['order'])
    if got:
        row.near('rdp_at_order', got['rdp_at_order'], row.f('rdp_bound'), 1e-11)


def zcdp(row):
    noise = 1 / math.sqrt(2 * row.f('rho'))
    got = row.ask('epsilon', mechanism='gaussian', noise_multiplier=repr(noise), sampling_rate=1,
                  steps=1, delta=row.values['delta'])
    if got:
        row.near('epsilon_rdp', got['epsilon_rdp'], row.f('eps_cks'), 1e-8)
        row.expect(got['epsilon_pld'] <= row.f('eps_cks') * (1 + 1e-9), 'PLD above zCDP')


def distributed(row):
    got = row.ask('epsilon', mechanism='distributed-discrete-gaussian',
                  clients=row.values['n_clients'], dim=row.values['dim'],
                  clip=row.values['l2_clip'], scale=row.values['scale'], beta=repr(row.f('beta')),
                  sigma_local=row.values['local_sigma_int'], steps=row.values['steps'],
                  delta=row.values['delta'])
    if not got:
        return
    cont, grid = row.f('eps_rdp_cont'), row.f('eps_rdp_int_orders')
    row.near('epsilon_rdp', got['epsilon_rdp'], cont, 1e-6)
    row.expect(got['epsilon_rdp'] <= grid * (1 + 1e-6), 'worse than whole orders')
    row.near('l2_sensitivity', got['l2_sensitivity'], row.f('l2_sens_int'), 1e-6)
    row.near('l1_sensitivity', got['l1_sensitivity'], row.f('l1_sens_int'), 1e-6)
    row.near('tau', got['tau'], row.f('tau'), 1e-6, 1e-300)
    row.near('rho', got['rho_per_step'], row.f('rho_zcdp_per_step'), 1e-6)


def discrete(row):
    sensitivity = row.f('sensitivity')
    noise = math.sqrt(row.f('sigma2')) / sensitivity
    got = row.ask('delta', mechanism='discrete-gaussian', noise_multiplier=repr(noise),
                  sampling_rate=1, steps=1, sensitivity=row.values['sensitivity'],
                  epsilon=row.values['epsilon'])
    if got:
        row.near('delta_pld', got['delta_pld'], row.f('delta_exact'), 1e-9, 1e-290)


def tree(row):
    options = dict(mechanism='tree', noise_multiplier=row.values['noise_multiplier'],
                   steps=row.values['steps_per_tree_or_total'], delta=row.values['delta'])
    if row.values['mode'] == 'restart':
        options['trees'] = row.values['trees']
    else:
        options['participations'] = row.values['max_participation']
        options['separation'] = row.values['min_separation']
    got = row.ask('epsilon', **options)
    if not got:
        return
    row.expect(got['squared_sensitivity'] == row.f('sum_sens_sq'),
               f'squared sensitivity {got["squared_sensitivity"]}')
    row.near('epsilon_pld', got['epsilon_pld'], row.f('eps_gauss_exact'), 1e-9)
    for name in ('eps_rdp_dpacc', 'eps_rdp_tfp'):
        if row.has(name):
            row.expect(got['epsilon_rdp'] <= row.f(name) * (1 + 1e-6), f'epsilon_rdp above {name}')
    row.expect(got['epsilon_rdp'] >= got['epsilon_pld'] * (1 - 1e-9), 'RDP below the exact value')


TABLES = {
    'poisson_gaussian_add_remove': lambda row: poisson(row, 'add-remove'),
    'poisson_gaussian_replace_one': lambda row: poisson(row, 'replace-one'),
    'gaussian_analytic_eps': gaussian_eps,
    'gaussian_analytic_delta': gaussian_delta,
    'gaussian_analytic_sigma': gaussian_sigma,
    'calibration_noise_multiplier': calibration,
    'laplace_composition': laplace,
    'rdp_subsampled_gaussian': rdp,
    'skellam_rdp': skellam,
    'zcdp_to_eps': zcdp,
    'distributed_discrete_gaussian': distributed,
    'discrete_gaussian_delta': discrete,
    'tree_dpftrl': tree,
}


def run_row(row):
    TABLES[row.stem](row)
    return row


def read_rows(tables, stem):
    path = next(iter(sorted(tables.glob(f'**/{stem}.csv'))), None)
    if path is None:
        sys.exit(f'{tables}: no {stem}.csv in it; --tables names the folder of the golden tables')
    with path.open() as file:
        lines = [line for line in file if not line.startswith('#')]
    return [Row(stem, i + 2, values) for i, values in enumerate(csv.DictReader(lines))]


def main():
    global CAIRN
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--cairn', default=str(ROOT / 'build/release/bin/cairn'))
    parser.add_argument('--tables', type=pathlib.Path, default=ROOT / 'tests/vectors')
    parser.add_argument('--only', choices=sorted(TABLES), help='one table')
    args = parser.parse_args()
    CAIRN = args.cairn
    total = missed = 0
    with ThreadPoolExecutor(2) as pool:
        for stem in [args.only] if args.only else TABLES:
            rows = list(pool.map(run_row, read_rows(args.tables, stem)))
            bad = [row for row in rows if row.faults]
            total, missed = total + len(rows), missed + len(bad)
            slowest = max(row.slowest for row in rows)
            print(f'{stem:32} {len(rows):4} rows, {len(bad):3} missed, slowest call {slowest:.2f} s')
            for row in bad:
                print(f'  line {row.number}: ' + '; '.join(row.faults))
    print(f'{total} rows, {missed} missed')
    return 1 if missed else 0


if __name__ == '__main__':
    sys.exit(main())
