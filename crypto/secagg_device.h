/* SPDX-License-Identifier: Apache-2.0 */
/* The device's side of secure aggregation, for one round. Sans-I/O, not thread-safe.
 *
 * Calls come in the order of this file, each succeeds once. A call out of turn is refused with
 * CN_E_UNEXPECTED and changes nothing. Any other failure ends the round for this device: its
 * secrets are wiped at once and every later call gives CN_E_UNEXPECTED. So one object never masks
 * two vectors, never signs two lists of survivors and never gives both shares of a device.
 *
 * The object lives in memory only: a device that restarts begins a new round with new keys. */
#ifndef CAIRN_CRYPTO_SECAGG_DEVICE_H
#define CAIRN_CRYPTO_SECAGG_DEVICE_H

#include "base/random.h"
#include "crypto/certificate_cache.h"
#include "crypto/secagg.h"
#include "crypto/sign.h"

struct secagg_device;

/* Makes a device for one round and draws its one-time keys; *out is NULL on failure.
 *
 *   identity   the device's long-term key; borrowed, must outlive the object
 *   own        its certificate, copied
 *   registrar  the key under which the device believes certificates of others
 *   random     for keys, shares and nonces; borrowed, must outlive the object
 *
 * CN_E_CONFIG by secagg_config_check or when this machine lacks instructions that config->prg needs
 * (secagg_prg_is_safe); CN_E_AUTH when own is not a certificate of identity under
 * registrar; CN_E_NOMEM. Returns ownership. */
enum cn_err secagg_device_new(struct secagg_device **out, const struct secagg_config *config,
                              const struct sign_key *identity, const struct certificate *own,
                              const uint8_t registrar[32], const struct cn_random *random);

/* Lets the device skip the certificates of neighbours that it verified in earlier rounds; borrowed,
 * must outlive the object. May be NULL, as it is from the start. */
void secagg_device_remember(struct secagg_device *device, struct certificate_cache *cache);

/* Gives the signed one-time keys to announce. */
enum cn_err secagg_device_keys(struct secagg_device *device, struct secagg_keys *out);

/* Checks the roster and shares this device's two secrets among its neighbours.
 *
 *   members    [count]  all of them, sorted by device id
 *   threshold  shares that reveal a secret, in the complete graph; survivors that there must be
 *   out        room for one message per neighbour; to rising, secagg_device_degree of them
 *
 * Refused: a roster below cohort_min (CN_E_COHORT); a threshold below
 * secagg_threshold_for(config, count) or above count, fewer neighbours than degree_min, a size for
 * which there is no graph (CN_E_THRESHOLD); a certificate or signature of a neighbour that does not
 * verify, keys that are not points, this device missing or with other keys than it announced
 * (CN_E_AUTH); a wrong order or a device that occurs twice (CN_E_INCONSISTENT); a one-time key that
 * occurs twice among the neighbours, more devices of a neighbour's invitation than it has uses
 * (CN_E_USED); more than SECAGG_DEVICES_MAX (CN_E_TOO_LARGE). About 0.25 ms per neighbour. */
enum cn_err secagg_device_roster(struct secagg_device *device, const struct secagg_member *members,
                                 uint32_t count, uint32_t threshold, struct secagg_sealed *out);

/* The same from entries and the neighbours alone; roster is not kept. Also CN_E_AUTH when a
 * neighbour is not the one that the entries name, CN_E_INCONSISTENT for a wrong number of them. A
 * device finds out what roster it is in by secagg_degree(config, count): below count - 1 it is a
 * ring. (In the complete graph the neighbours are all others.) */
enum cn_err secagg_device_roster_entries(struct secagg_device *device,
                                         const struct secagg_roster *roster,
                                         struct secagg_sealed *out);

/* This device's position in the roster. CN_E_UNEXPECTED before the roster. */
enum cn_err secagg_device_index(const struct secagg_device *device, uint32_t *index);

/* How many neighbours this device has, all members but itself in the complete graph.
 * CN_E_UNEXPECTED before the roster. */
enum cn_err secagg_device_degree(const struct secagg_device *device, uint32_t *degree);

/* The session id: equal on two sides that agree on config and roster. Not a secret.
 * CN_E_UNEXPECTED before the roster. */
enum cn_err secagg_device_session(const struct secagg_device *device,
                                  uint8_t session[SECAGG_SESSION_BYTES]);

/* Takes the neighbours' sealed shares, in any order. Those whose message opens, and this device,
 * are the set U2 whose masks will be used. A neighbour whose message does not open or holds no
 * scalars is left out, as if nothing had come from it, and named by secagg_device_complaints.
 *
 * CN_E_INCONSISTENT for a message to another device, from a stranger or from oneself; CN_E_REPLAY
 * for two from one sender; CN_E_COHORT or CN_E_THRESHOLD when U2 is too small. */
enum cn_err secagg_device_shares(struct secagg_device *device, const struct secagg_sealed *in,
                                 uint32_t count);

/* The neighbours whose messages did not open, rising: for the caller to tell the server before the
 * upload. A complaint holds no secret, and proves nothing: one of the two (or the server) lies.
 * While there are some that were not asked for, masking fails with CN_E_AUTH and ends the round:
 * the sum would be noise if the server did not know.
 *
 *   list   out, room for secagg_device_degree
 *   count  out
 *
 * CN_E_UNEXPECTED before secagg_device_shares. */
enum cn_err secagg_device_complaints(struct secagg_device *device, uint32_t *list, uint32_t *count);

/* Masks vector [dim] in place: plus the self mask, plus or minus one mask per neighbour in U2,
 * modulo 2^bits; every coordinate ends below 2^bits. Once only: a caller that must be able to send
 * the result again keeps it. Cost: |U2| keystreams of dim words. */
enum cn_err secagg_device_mask(struct secagg_device *device, uint32_t *vector);

/* The same in one pass with the packing; vector is not changed.
 *
 *   out  [pack_bytes(dim, bits)] packed by pack_bits */
enum cn_err secagg_device_mask_packed(struct secagg_device *device, uint8_t *out,
                                      const uint32_t *vector);

/* Signs the list of survivors, the one list this device ever signs in the session.
 *
 *   survivors  [count]  positions, strictly rising
 *
 * CN_E_INCONSISTENT for a list out of order, with a neighbour outside U2 or without this one;
 * CN_E_COHORT below cohort_min; CN_E_THRESHOLD below the threshold, or on a ring with a gap that
 * might part the honest survivors. */
enum cn_err secagg_device_survivors(struct secagg_device *device, const uint32_t *survivors,
                                    uint32_t count, uint8_t signature[SECAGG_SIGNATURE_BYTES]);

/* Gives exactly one share per member of U2, itself included: SECAGG_SELF of survivors, SECAGG_PAIR
 * of the others; then wipes all secrets and ends the round.
 *
 *   vouches    [count]  by index, strictly rising. On a ring those of the neighbours (and its own)
 *              count, the others are passed over
 *   out        room for degree + 1 shares; of rising
 *   out_count  out: how many
 *
 * CN_E_INCONSISTENT for vouches out of order or of a device that did not survive; CN_E_AUTH for a
 * signature that is not under this device's own list; CN_E_THRESHOLD for fewer vouches than the
 * threshold, or on a ring for too few in some window. The shares are secret until sent: the caller
 * wipes them. */
enum cn_err secagg_device_reveal(struct secagg_device *device, const struct secagg_vouch *vouches,
                                 uint32_t count, struct secagg_share *out, uint32_t *out_count);

/* The same with a SECAGG_EDGE behind every SECAGG_PAIR: the seed of this device's own mask with the
 * one that dropped. With those of all survivors the sum opens even when that device had dealt
 * shares that do not fit or do not open.
 *
 *   out  room for 2 * degree + 1 */
enum cn_err secagg_device_reveal_edges(struct secagg_device *device,
                                       const struct secagg_vouch *vouches, uint32_t count,
                                       struct secagg_share *out, uint32_t *out_count);

/* Wipes and frees; NULL is allowed. */
void secagg_device_free(struct secagg_device *device);

#endif
