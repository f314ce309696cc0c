/* SPDX-License-Identifier: Apache-2.0 */
/* The server's side of secure aggregation, for one round. Sans-I/O, not thread-safe.
 *
 * Stages: keys, shares, masked, vouches, reveals, open. The caller closes a stage when everybody
 * answered or time is up. A message out of its stage gives CN_E_UNEXPECTED, a second one of the
 * same device in a stage CN_E_REPLAY; a bad message of one device leaves the server unchanged, so
 * that the device can be dropped and the round go on. A close_* that finds too few devices ends the
 * round: CN_E_COHORT below cohort_min, CN_E_THRESHOLD below the threshold; then every later call
 * gives CN_E_UNEXPECTED.
 *
 * Sets, as in the paper: U1 the roster, U2 those who shared, U3 those whose masked vector arrived
 * (the survivors), U4 those who vouched. Memory: one accumulator of 4 * dim bytes, sealed shares of
 * SECAGG_SEALED_BYTES + 8 per pair until the masked stage closes, revealed shares of 40 bytes per
 * pair afterwards. */
#ifndef CAIRN_CRYPTO_SECAGG_SERVER_H
#define CAIRN_CRYPTO_SECAGG_SERVER_H

#include "crypto/secagg.h"

struct secagg_server;

/* Makes a server for one round. CN_E_CONFIG by secagg_config_check, CN_E_NOMEM. Returns
 * ownership; *out is NULL on failure. */
enum cn_err secagg_server_new(struct secagg_server **out, const struct secagg_config *config,
                              const uint8_t registrar[32]);

/* Admits a device to the roster in the making. Its position is known once the roster is closed:
 * ask secagg_server_find.
 *
 * CN_E_AUTH when certificate, signature or keys do not verify; CN_E_REPLAY for a device that is in;
 * CN_E_USED for a one-time key that another device announced or an invitation whose uses are
 * spent; CN_E_TOO_LARGE when the roster is full. */
enum cn_err secagg_server_keys(struct secagg_server *server, const struct secagg_member *member);

/* The same for a device whose certificate the caller has verified under the same registrar before,
 * as at its login: spares two of three signatures. */
enum cn_err secagg_server_keys_known(struct secagg_server *server,
                                     const struct secagg_member *member);

/* Devices admitted so far, or in the roster. */
uint32_t secagg_server_count(const struct secagg_server *server);

/* Sorts the roster, fixes threshold and session and allocates the accumulator; CN_E_NOMEM ends the
 * round, too. */
enum cn_err secagg_server_close_roster(struct secagg_server *server);

/* The roster to send, valid until the server is freed. CN_E_UNEXPECTED before it is closed. */
enum cn_err secagg_server_members(const struct secagg_server *server,
                                  const struct secagg_member **members, uint32_t *count,
                                  uint32_t *threshold);

/* The same as entries, valid until the server is freed: what every device of a ring gets. */
enum cn_err secagg_server_entries(const struct secagg_server *server,
                                  const struct secagg_entry **entries, uint32_t *count,
                                  uint32_t *threshold);

/* How many neighbours each device has. CN_E_UNEXPECTED before the roster is closed. */
enum cn_err secagg_server_degree(const struct secagg_server *server, uint32_t *degree);

/* Copies the neighbours of one device, by position: with the entries all that it needs.
 *
 *   out    room for secagg_server_degree
 *
 * CN_E_INCONSISTENT beyond the roster; CN_E_UNEXPECTED before it is closed. */
enum cn_err secagg_server_neighbours(const struct secagg_server *server, uint32_t index,
                                     struct secagg_member *out, uint32_t *count);

/* The position of the device with this id. CN_E_NOT_FOUND; CN_E_UNEXPECTED before the roster is
 * closed. */
enum cn_err secagg_server_find(const struct secagg_server *server,
                               const uint8_t device_id[DEVICE_ID_BYTES], uint32_t *index);

/* The session id, as secagg_device_session. CN_E_UNEXPECTED before the roster is closed. */
enum cn_err secagg_server_session(const struct secagg_server *server,
                                  uint8_t session[SECAGG_SESSION_BYTES]);

/* Takes a device's sealed shares: exactly one message for every neighbour, to strictly rising,
 * each with this from. CN_E_INCONSISTENT otherwise. from, here and index below, is the position
 * of the device that the connection has authenticated. */
enum cn_err secagg_server_shares(struct secagg_server *server, uint32_t from,
                                 const struct secagg_sealed *sealed, uint32_t count);
enum cn_err secagg_server_close_shares(struct secagg_server *server);

/* Gives the messages for one device of U2: those of its neighbours in U2, from rising.
 *
 *   out    room for one message per other member of the roster
 *   count  out: how many
 *
 * CN_E_INCONSISTENT when to is not in U2; CN_E_UNEXPECTED unless in the masked stage. */
enum cn_err secagg_server_inbox(const struct secagg_server *server, uint32_t to,
                                struct secagg_sealed *out, uint32_t *count);

/* Takes a device's complaint, once, before its masked vector: messages of these neighbours did not
 * open. It has left them out of its masks, so one of each two must leave the sum: the one of whom
 * whose vector comes later; before either came, the one with more complaints on it (made or
 * suffered), and the accused where these are equal. So one liar puts out himself, or one other.
 *
 *   list  [count]  neighbours in U2, strictly rising
 *
 * CN_E_INCONSISTENT for another list or a device outside U2; CN_E_REPLAY for a second complaint;
 * CN_E_UNEXPECTED after its vector; CN_E_NOMEM. */
enum cn_err secagg_server_complain(struct secagg_server *server, uint32_t index,
                                   const uint32_t *list, uint32_t count);

/* All complaints so far, valid until the next one. Of each two devices at least one lies (or the
 * server, which knows whether it did): watch whom rounds name again and again; ban nobody for one.
 */
struct secagg_complaint {
    uint32_t by;
    uint32_t of;
};
void secagg_server_complaints(const struct secagg_server *server,
                              const struct secagg_complaint **list, uint32_t *count);

/* True when a device's vector would be taken: it is in U2, and no complaint has put it out. */
bool secagg_server_expects(const struct secagg_server *server, uint32_t index);

/* Adds a masked vector, packed by pack_bits, to the accumulator. CN_E_PARSE when its length or its
 * unused bits are wrong; CN_E_INCONSISTENT when index is not in U2 or was put out by a complaint.
 */
enum cn_err secagg_server_masked(struct secagg_server *server, uint32_t index,
                                 const uint8_t *packed, size_t len);

/* On a ring also CN_E_THRESHOLD when in some neighbourhood too few survived to open the sum. */
enum cn_err secagg_server_close_masked(struct secagg_server *server);

/* U3, strictly rising, valid until the server is freed. CN_E_UNEXPECTED before close_masked. */
enum cn_err secagg_server_survivors(const struct secagg_server *server, const uint32_t **list,
                                    uint32_t *count);

/* Takes a survivor's signature under the list. CN_E_AUTH when it does not verify;
 * CN_E_INCONSISTENT when index did not survive. */
enum cn_err secagg_server_vouch(struct secagg_server *server, uint32_t index,
                                const uint8_t signature[SECAGG_SIGNATURE_BYTES]);

/* On a ring also CN_E_THRESHOLD when too few vouched in some window. */
enum cn_err secagg_server_close_vouches(struct secagg_server *server);

/* The vouches to send, index strictly rising, valid until the server is freed. CN_E_UNEXPECTED
 * before close_vouches. */
enum cn_err secagg_server_vouches(const struct secagg_server *server,
                                  const struct secagg_vouch **vouches, uint32_t *count);

/* The vouches that one survivor needs: on a ring those of its neighbours and itself, else all.
 * Index strictly rising.
 *
 *   out  room for degree + 1
 *
 * CN_E_UNEXPECTED before close_vouches; CN_E_INCONSISTENT when index did not survive. */
enum cn_err secagg_server_vouches_for(const struct secagg_server *server, uint32_t index,
                                      struct secagg_vouch *out, uint32_t *count);

/* Takes a survivor's shares: of itself and of each neighbour in U2 exactly one, of strictly rising,
 * of the kind that survival decides, but none of those it complained of; behind each PAIR there may
 * be an EDGE. CN_E_INCONSISTENT otherwise or when index did not survive;
 * CN_E_PARSE when a value is no scalar. That the values are right is found out by open. */
enum cn_err secagg_server_reveal(struct secagg_server *server, uint32_t index,
                                 const struct secagg_share *shares, uint32_t count);

/* True when enough devices revealed to open every secret that is needed. More may still come and
 * make the opening robust against wrong shares. */
bool secagg_server_can_open(const struct secagg_server *server);

/* How many threads secagg_server_open may use, 1 .. SECAGG_THREADS_MAX (others are bent into it); 1
 * until told. Each of them takes a range of the coordinates: no memory but its stack. */
#define SECAGG_THREADS_MAX 64u
void secagg_server_set_threads(struct secagg_server *server, uint32_t threads);

/* Recovers the secrets, removes all masks and gives the sum over U3 modulo 2^bits, once.
 *
 *   sum  [dim]
 *
 * CN_E_THRESHOLD before can_open (the state is unchanged: more reveals may come); CN_E_INCONSISTENT
 * when wrong shares make a secret unrecoverable: secagg_server_liars then names whom the server
 * could convict, the sum is zero and the round is over. Heavy: (|U3| + dropped * |U3|) keystreams
 * of dim words; touches nothing but server, so it may run on another thread while the owner stays
 * away from it. */
enum cn_err secagg_server_open(struct secagg_server *server, uint32_t *sum);

/* The devices whose revealed shares open found to be wrong, rising; valid until the server is
 * freed. Empty before open, and when nothing had to be searched: shares beyond the threshold are
 * looked at only when the first ones do not give the secret behind the owner's public key. Named
 * are those that contradict the one polynomial that fits almost all shares; see shamir_recover for
 * how many may conspire. (An owner that dealt a wrong share looks the same as a holder that altered
 * it: watch these devices, do not ban them for one round.) */
void secagg_server_liars(const struct secagg_server *server, const uint32_t **list,
                         uint32_t *count);

/* Wipes and frees; NULL is allowed. */
void secagg_server_free(struct secagg_server *server);

#endif
