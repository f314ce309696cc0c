/* SPDX-License-Identifier: Apache-2.0 */
/* What a value looks like: a mail address, a phone number, a card, a name ... By pattern, checksum
 * and the column's name; a likeness, no proof, in both directions. */
#ifndef CAIRN_DATA_IDENTIFIER_H
#define CAIRN_DATA_IDENTIFIER_H

#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define IDENTIFIERS(X) \
    X(MAIL,      "mail address") \
    X(PHONE,     "phone number") \
    X(CARD,      "card number") \
    X(IBAN,      "IBAN") \
    X(BIRTH,     "date of birth") \
    X(POSTCODE,  "postcode") \
    X(IP,        "IP address") \
    X(NATIONAL,  "national id") \
    X(NAME,      "name of a person")
/* clang-format on */

enum identifier {
#define X(name, text) IDENTIFIER_##name,
    IDENTIFIERS(X)
#undef X
        IDENTIFIER_COUNT
};

#define IDENTIFIER_BYTES_MAX 256 /* longer values are free text and not looked at */

const char *identifier_text(enum identifier identifier);

/* A bit (1u << identifier) for every kind that the value, without blanks around it, looks like.
 *
 *   MAIL      local@domain.tld
 *   PHONE     7 to 15 digits with + or 00 before, or grouped by blanks, dashes, brackets; plain
 *             digits only where the column's name says phone
 *   CARD      13 to 19 digits whose Luhn sum is right (ISO/IEC 7812)
 *   IBAN      ISO 13616, remainder 1 modulo 97
 *   BIRTH     a date from 1900 on, where the column's name says birth
 *   POSTCODE  British and Canadian forms anywhere; 4 to 10 letters and digits where the column's
 *             name says so
 *   IP        four numbers to 255, or a full or shortened IPv6 address
 *   NATIONAL  US SSN (AAA-GG-SSSS), British NINO, Spanish DNI and NIE, French NIR, Italian codice
 *             fiscale; with their checks where they have any
 *   NAME      a known given name and another word, or two to four capitalised words where the
 *             column's name says name */
unsigned identifier_kinds(const char *text, size_t len, const char *column);

#endif
