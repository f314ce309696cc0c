/* SPDX-License-Identifier: Apache-2.0 */
/* The program: runs seeds, says which one failed and how to see it again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "sim_world.h"

#ifdef SIM_PLANTS
enum sim_bug sim_planted;
#endif

enum { PLANT_SEEDS_MAX = 1000 };

static double now_s(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void add_counts(struct sim_counts *all, const struct sim_counts *one)
{
    all->published += one->published;
    all->abandoned += one->abandoned;
    all->crashes += one->crashes;
    all->cuts += one->cuts;
    all->refused += one->refused;
    all->uploads += one->uploads;
    all->attacks += one->attacks;
    all->aggregator_crashes += one->aggregator_crashes;
    all->letters += one->letters;
    all->lies += one->lies;
    all->reveals += one->reveals;
}

static void tell_counts(const struct sim_counts *all)
{
    printf("rounds published %" PRIu64 ", abandoned %" PRIu64 "; aggregators that lied %" PRIu64
           ", that crashed %" PRIu64 "; devices that crashed %" PRIu64 ", were cut off %" PRIu64
           ", were refused %" PRIu64 "; lies of devices %" PRIu64 ", uploads %" PRIu64
           ", reveals %" PRIu64 ", messages %" PRIu64 "\n",
           all->published, all->abandoned, all->attacks, all->aggregator_crashes, all->crashes,
           all->cuts, all->refused, all->lies, all->uploads, all->reveals, all->letters);
}

/* Runs seeds from .. from + count - 1 and stops at the first that fails. */
static bool run_seeds(struct sim_world *world, uint64_t from, uint64_t count, uint64_t *tried)
{
    struct sim_counts all = {0};
    double started = now_s();

    for (*tried = 1; *tried <= count; (*tried)++) {
        uint64_t seed = from + *tried - 1;
        bool good = sim_run(world, seed, false);

        add_counts(&all, &world->counts);
        if (!good) {
            printf("seed %" PRIu64 " FAILED: %s\nsee it again: ./dev sim --seed %" PRIu64
                   " --trace\n",
                   seed, world->why, seed);
            return false;
        }
    }
    double seconds = now_s() - started;
    tell_counts(&all);
    printf("%" PRIu64 " seeds, %.1f s, %.1f seeds per second\n", count, seconds,
           (double)count / (seconds > 0 ? seconds : 1));
    return true;
}

#ifdef SIM_PLANTS
static const char *const bug_names[] = {
#define X(NAME, text) #NAME,
    SIM_BUGS(X)
#undef X
};
static const char *const bug_texts[] = {
#define X(NAME, text) text,
    SIM_BUGS(X)
#undef X
};

/* Plants every bug in turn; the table is README.md's. */
static int find_all(struct sim_world *world)
{
    int missed = 0;

    for (int bug = 1; bug < SIM_BUG_COUNT; bug++) {
        uint64_t seed = 1;

        sim_planted = (enum sim_bug)bug;
        while (seed <= PLANT_SEEDS_MAX && sim_run(world, seed, false))
            seed++;
        if (seed <= PLANT_SEEDS_MAX)
            printf("| %s | %s | %" PRIu64 " | %s |\n", bug_names[bug], bug_texts[bug], seed,
                   world->why);
        else
            printf("| %s | %s | NOT FOUND | |\n", bug_names[bug], bug_texts[bug]);
        missed += seed > PLANT_SEEDS_MAX;
        fflush(stdout);
    }
    return missed ? 1 : 0;
}

static bool plant(const char *name)
{
    for (int bug = 1; bug < SIM_BUG_COUNT; bug++)
        if (strcmp(name, bug_names[bug]) == 0) {
            sim_planted = (enum sim_bug)bug;
            return true;
        }
    return false;
}
#endif

struct options {
    uint64_t seeds, from, seed;
    bool one, trace, all;
};

static bool number(uint64_t *out, const char *text)
{
    char *end = NULL;

    if (!text || text[0] < '0' || text[0] > '9')
        return false;
    *out = strtoull(text, &end, 10);
    return *end == '\0';
}

static bool parse(struct options *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *next = argv[i + 1]; /* NULL after the last */

        if (strcmp(argv[i], "--trace") == 0)
            options->trace = true;
        else if (strcmp(argv[i], "--seeds") == 0 && number(&options->seeds, next))
            i++;
        else if (strcmp(argv[i], "--from") == 0 && number(&options->from, next))
            i++;
        else if (strcmp(argv[i], "--seed") == 0 && number(&options->seed, next))
            options->one = true, i++;
#ifdef SIM_PLANTS
        else if (strcmp(argv[i], "--plant") == 0 && next && plant(next))
            i++;
        else if (strcmp(argv[i], "--find-all") == 0)
            options->all = true;
#endif
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct options options = {.seeds = 500, .from = 1};
    uint64_t tried;

    if (!parse(&options, argc, argv)) {
        fprintf(stderr, "usage: %s [--seeds N] [--from S] | --seed S [--trace]\n", argv[0]);
        return 2;
    }
    struct sim_world *world = malloc(sizeof *world);
    if (!world || sodium_init() < 0)
        return 3;
    int code;
#ifdef SIM_PLANTS
    if (options.all) {
        code = find_all(world);
        free(world);
        return code;
    }
#endif
    if (options.one) {
        code = sim_run(world, options.seed, options.trace) ? 0 : 1;
        printf("seed %" PRIu64 " %s%s\n", options.seed, code ? "FAILED: " : "holds",
               code ? world->why : "");
    } else {
        code = run_seeds(world, options.from, options.seeds, &tried) ? 0 : 1;
    }
    free(world);
    return code;
}
