/* SPDX-License-Identifier: Apache-2.0 */
/* The world in a bottle: devices, an aggregator and the network between them in one process, under
 * one seed, in virtual time. README.md says what is real here and what is not. */
#ifndef CAIRN_TESTS_SIM_WORLD_H
#define CAIRN_TESTS_SIM_WORLD_H

#include "aggregator/round.h"
#include "client/guard.h"
#include "client/participant.h"
#include "crypto/secagg_internal.h"
#include "protocol/transfer.h"

enum {
    SIM_DEVICES_MAX = 14,
    SIM_COMPLETE_MAX = 8, /* devices of a world without a ring */
    SIM_PUPPETS_MAX = 8,  /* devices that a lying aggregator invents */
    SIM_MEMBERS_MAX = SIM_DEVICES_MAX + SIM_PUPPETS_MAX,
    SIM_DIM_MAX = 24,
    SIM_LETTERS_MAX = 16384,
    SIM_SITTINGS_MAX = 320,
    SIM_LINES_MAX = 64,
    SIM_SECRETS_MAX = 4096,
    SIM_TICK_MS = 100,
    SIM_AGGREGATOR = -1,
};

/* clang-format off */
/* What a lying aggregator tries: one of these, or two at a time. */
#define SIM_ATTACKS(X) \
    X(CURIOUS,     "only listens") \
    X(TWO_LISTS,   "tells some devices that the victim survived, the others that it dropped") \
    X(ASK_TWICE,   "asks everybody again with another list of survivors") \
    X(SWAP_KEYS,   "stands in the middle: the victim gets its keys under everybody's name") \
    X(INVENT,      "fills the roster with devices that it made up") \
    X(REPLAY,      "plays a whole session again, also to devices that restarted") \
    X(MODELS,      "gives the victim another model") \
    X(THRESHOLD,   "announces a threshold that its own devices reach") \
    X(COHORT,      "makes a roster of the victim and its own devices") \
    X(FEW,         "says that only few shared, and that only its own devices survived") \
    X(GHOSTS,      "lists survivors that never shared") \
    X(STRANGERS,   "hands out shares twice, or those that were meant for others") \
    X(SPOILED,     "spoils the shares of all but its own devices on their way to the victim") \
    X(INBOXES,     "tells every device another set of those who shared") \
    X(VOUCHES,     "forges signatures under the list of survivors") \
    X(TWICE_KEYS,  "lets one of its devices announce the victim's keys as its own")

/* What a lying device tries. */
#define SIM_LIES(X) \
    X(NONE,        "nothing") \
    X(GARBAGE,     "sends bytes that are no message") \
    X(WRONG_SHARE, "reveals wrong shares") \
    X(BOTH_SHARES, "reveals shares of the other kind") \
    X(OTHER_VECTOR,"uploads a second, different vector") \
    X(ERROR,       "adds an error to its masked vector") \
    X(SPARE_BITS,  "sets the bits behind the last coordinate of its masked vector") \
    X(LATE,        "uploads when the phase is over") \
    X(BAD_SEAL,    "seals nonsense for a neighbour") \
    X(BAD_VOUCH,   "signs another list") \
    X(TOO_EARLY,   "sends answers before it was asked")

/* Faults planted into the simulation's own half of the two machines, to see that it finds them. */
#define SIM_BUGS(X) \
    X(NONE,          "") \
    X(ANSWERS_TWICE, "a device restored from a backup answers a second list of survivors") \
    X(SPENDS_LATE,   "a device writes its ledger's line after the upload") \
    X(FULL_DISK,     "a device ignores that its ledger could not be written") \
    X(FORGETS,       "a restarted device does not look into its ledger") \
    X(SAME_KEYS,     "a device uses its one-time keys in every attempt") \
    X(SAME_MODEL,    "a device does not bind its keys to the model") \
    X(NO_FLOOR,      "a device takes the aggregator's word for cohort and threshold") \
    X(ANY_DEVICE,    "devices believe in certificates that the aggregator made up") \
    X(ANY_VOUCH,     "devices do not check the signatures under the survivors") \
    X(MASKS_TWICE,   "a device that is asked again masks another vector") \
    X(KEEPS_SECRETS, "a device that leaves a round does not wipe it") \
    X(LATE_COUNTS,   "the aggregator adds a vector whose owner was declared dropped") \
    X(NO_DEADLINE,   "a phase waits for ever for a device that is away") \
    X(NO_REASON,     "a round is abandoned without a word") \
    X(OFFERS_FIRST,  "the aggregator offers a round before its ledger's line is written")
/* clang-format on */

enum sim_attack {
#define X(NAME, text) SIM_ATTACK_##NAME,
    SIM_ATTACKS(X)
#undef X
        SIM_ATTACK_COUNT
};
enum sim_lie {
#define X(NAME, text) SIM_LIE_##NAME,
    SIM_LIES(X)
#undef X
        SIM_LIE_COUNT
};
enum sim_bug {
#define X(NAME, text) SIM_BUG_##NAME,
    SIM_BUGS(X)
#undef X
        SIM_BUG_COUNT
};

/* The graph of a session. */
struct sim_ring {
    uint32_t threshold;                          /* shares that open a secret */
    uint32_t degree, window_min, neighbours_min; /* the last two 0 when complete */
    uint32_t near[SIM_MEMBERS_MAX];              /* bits: the neighbours of each member */
    uint32_t place[SIM_MEMBERS_MAX];             /* on the ring */
};

/* One device in one session, as it took part: what privacy is judged by. */
struct sim_sitting {
    uint32_t device;
    struct round_id id;
    uint8_t model[HASH_BYTES];
    uint8_t session[SECAGG_SESSION_BYTES];
    uint32_t index, count, threshold;
    struct sim_ring ring;
    struct secagg_keys keys[SIM_MEMBERS_MAX];             /* as its roster says */
    uint8_t identity[SIM_MEMBERS_MAX][SIGN_PUBLIC_BYTES]; /* as its roster says */
    uint32_t shared;                                      /* bits: U2, itself included */
    uint32_t listed[SIM_MEMBERS_MAX], listed_count;       /* the survivors it signed */
    bool rostered, uploaded;
    uint8_t upload[HASH_BYTES];
};

/* What a device's disk holds: survives a crash. */
struct sim_disk {
    struct round_id lines[SIM_LINES_MAX]; /* "spent" */
    uint32_t line_count;
    uint32_t writes, fails_from, fails_to; /* the writes [from, to) fail */
};

struct sim_device {
    struct sim_world *world;
    uint32_t number;
    struct sign_key *key;
    struct certificate certificate;
    uint8_t id[DEVICE_ID_BYTES];
    struct sim_disk disk;
    enum sim_lie lie;
    bool corrupt; /* helps a lying aggregator, or lies itself: its secrets are the adversary's */

    bool here; /* connected, which a process that does not run is not */
    uint32_t connection;
    uint64_t back_ms;    /* when it connects again */
    uint64_t last_ms[2]; /* when the last letter of each direction arrives */
    uint64_t slow_ms;    /* what its next letters take longer */

    struct home home; /* of the process: what it remembers of its disk */
    bool working;
    struct message_offer offer;
    uint64_t trained_ms;
    struct cn_seeded stream, twin_stream;
    struct cn_random random, twin_random;
    struct participant *participant;
    struct participant *twin; /* a backup of it; planted bugs only */
    bool twin_asked, spends_later;
    struct sim_sitting *sitting;
    uint32_t error[SIM_DIM_MAX]; /* that a lying device added to its vector */
    struct round_id error_id;    /* in this attempt */
    uint8_t *held;               /* what it uploads in place of its masked vector; NULL: that */
    uint8_t held_hash[HASH_BYTES];
};

struct sim_letter {
    uint64_t at_ms, order;
    int from, to;
    uint32_t connection;
    uint8_t *bytes;
    size_t len;
};

/* What the seed decides. Probabilities are per mille. */
struct sim_plan {
    uint32_t devices, corrupt, cohort_min, cohort_max, rounds, attempts, dim;
    uint8_t bits;
    bool ring;        /* the graph is sparse where a ring will do */
    bool evil;        /* the aggregator lies */
    bool calm;        /* nothing breaks */
    bool ordered;     /* connections deliver in order and once, as TLS does */
    uint32_t attacks; /* bit per enum sim_attack */
    uint32_t delay_ms, cut, crash, duplicate, bad_disk, aggregator_crash, aggregator_disk;
};

struct sim_counts {
    uint64_t published, abandoned, crashes, cuts, refused, uploads, attacks, aggregator_crashes;
    uint64_t letters, lies, reveals;
};

struct sim_world {
    uint64_t seed, now_ms, order;
    bool trace, failed;
    char why[256];
    struct cn_seeded seeded, secret_seeded;
    struct cn_random random;  /* of the world's events */
    struct cn_random secrets; /* of keys */
    struct sim_plan plan;
    struct task task;
    struct secagg_config config; /* all but the binding */
    struct sign_key *registrar;
    uint8_t registrar_public[SIGN_PUBLIC_BYTES];
    struct sim_device devices[SIM_DEVICES_MAX];
    struct sim_letter *letters; /* [SIM_LETTERS_MAX] */
    uint32_t letter_count;
    struct sim_sitting *sittings; /* [SIM_SITTINGS_MAX] */
    uint32_t sitting_count;
    struct sim_aggregator *aggregator;
    struct sim_evil *evil;
    struct sim_adversary *adversary;
    struct sim_counts counts;
};

#ifdef SIM_PLANTS
extern enum sim_bug sim_planted;
#define SIM_PLANTED(bug) (sim_planted == SIM_BUG_##bug)
#else
#define SIM_PLANTED(bug) false
#endif

/* ---- sim_world.c: time, letters, the run ---- */

/* Runs one seed; false when an invariant broke (world->why says which). */
bool sim_run(struct sim_world *world, uint64_t seed, bool trace);

/* Notes that an invariant does not hold; the first one counts. */
__attribute__((format(printf, 2, 3))) void sim_broken(struct sim_world *world, const char *format,
                                                      ...);
__attribute__((format(printf, 2, 3))) void sim_trace(const struct sim_world *world,
                                                     const char *format, ...);

/* True once in `of` times, by the world's dice. */
bool sim_chance(struct sim_world *world, uint32_t per_mille);
uint32_t sim_below(struct sim_world *world, uint32_t bound);

/* Puts a message under way; from and to are device numbers or SIM_AGGREGATOR. */
void sim_post(struct sim_world *world, int from, int to, const struct message *message);
void sim_post_bytes(struct sim_world *world, int from, int to, const uint8_t *bytes, size_t len);

/* Breaks a device's connection for some time; crash: its process ends, too. */
void sim_cut(struct sim_world *world, struct sim_device *device, bool crash);

struct sim_device *sim_find(struct sim_world *world, const uint8_t id[DEVICE_ID_BYTES]);
struct sim_device *sim_find_key(struct sim_world *world, const uint8_t key[SIGN_PUBLIC_BYTES]);

/* The graph of a session; all zero for a roster too small to have one. */
void sim_graph(struct sim_ring *ring, const struct secagg_config *config,
               const uint8_t session[SECAGG_SESSION_BYTES], uint32_t count, uint32_t threshold);

/* round_binding over the world's one plan. */
void sim_binding(uint8_t binding[HASH_BYTES], const struct round_id *id,
                 const uint8_t model[HASH_BYTES]);

/* The vector of a device in an attempt: what the sum is computed from. */
void sim_vector(const struct sim_world *world, uint32_t device, const struct round_id *id,
                uint32_t vector[SIM_DIM_MAX]);

/* Secrets in sodium_malloc blocks that are there now, in all of the process. */
long sim_secret_blocks(void);

/* ---- sim_device.c ---- */

void sim_device_start(struct sim_device *device);
void sim_device_crash(struct sim_device *device);
void sim_device_hear(struct sim_device *device, const struct message *message);
void sim_device_tick(struct sim_device *device);
bool sim_disk_has(const struct sim_disk *disk, const struct round_id *id);

/* ---- sim_lies.c ---- */

/* Sends the answer of a device, as its lie has it. */
void sim_say(struct sim_device *device, struct message *message);

/* ---- sim_aggregator.c ---- */

void sim_aggregator_start(struct sim_world *world);
void sim_aggregator_free(struct sim_world *world);
void sim_aggregator_hear(struct sim_world *world, struct sim_device *from,
                         const struct message *message);
void sim_aggregator_bad_bytes(struct sim_world *world, struct sim_device *from);
void sim_aggregator_tick(struct sim_world *world);
void sim_aggregator_here(struct sim_world *world, struct sim_device *device);
void sim_aggregator_lost(struct sim_world *world, struct sim_device *device);
bool sim_aggregator_done(const struct sim_world *world);

/* ---- sim_evil.c ---- */

void sim_evil_start(struct sim_world *world);
void sim_evil_free(struct sim_world *world);
void sim_evil_hear(struct sim_world *world, struct sim_device *from, const struct message *message);
void sim_evil_tick(struct sim_world *world);
bool sim_evil_done(const struct sim_world *world);

/* ---- sim_adversary.c ---- */

void sim_adversary_start(struct sim_world *world);
void sim_adversary_free(struct sim_world *world);

/* The adversary knows the secret behind a public key. */
void sim_adversary_knows(struct sim_world *world, const uint8_t public_key[AGREE_PUBLIC_BYTES],
                         const uint8_t secret[AGREE_SECRET_BYTES]);

/* It hears what an honest device says, which is all that ever leaves it. */
void sim_adversary_hears(struct sim_world *world, const struct sim_sitting *sitting,
                         const struct message *message);

/* Says whether any single vector follows from what it holds. */
void sim_adversary_check(struct sim_world *world);

#endif
