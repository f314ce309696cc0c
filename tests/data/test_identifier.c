/* SPDX-License-Identifier: Apache-2.0 */
#include "data/identifier.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(identifier);

static bool is(enum identifier kind, const char *text, const char *column)
{
    return identifier_kinds(text, strlen(text), column) >> kind & 1;
}

static void none(const char *text)
{
    cr_assert_eq(identifier_kinds(text, strlen(text), "x"), 0, "'%s' is %x", text,
                 identifier_kinds(text, strlen(text), "x"));
}

Test(identifier, finds_mail_phones_and_addresses)
{
    cr_assert(is(IDENTIFIER_MAIL, "ada.l+x@mail.example.org", "x"));
    cr_assert(!is(IDENTIFIER_MAIL, "ada@mail", "x") && !is(IDENTIFIER_MAIL, "@a.org", "x"));
    cr_assert(!is(IDENTIFIER_MAIL, "a@b@c.org", "x") && !is(IDENTIFIER_MAIL, "a b@c.org", "x"));
    cr_assert(is(IDENTIFIER_PHONE, "+44 20 7946 0958", "x"));
    cr_assert(is(IDENTIFIER_PHONE, "0049301234567", "x"));
    cr_assert(is(IDENTIFIER_PHONE, "030/1234-567", "x"));
    cr_assert(is(IDENTIFIER_PHONE, "(555) 123-4567", "x"));
    cr_assert(is(IDENTIFIER_PHONE, "5551234567", "Phone2") &&
              !is(IDENTIFIER_PHONE, "5551234567", "x"));
    cr_assert(is(IDENTIFIER_IP, "192.168.0.1", "x") && is(IDENTIFIER_IP, "2001:db8::1", "x"));
    cr_assert(!is(IDENTIFIER_IP, "192.168.0.256", "x") && !is(IDENTIFIER_IP, "12:30", "x"));
}

Test(identifier, checks_the_sums_of_cards_and_accounts)
{
    cr_assert(is(IDENTIFIER_CARD, "4111 1111 1111 1111", "x"));
    cr_assert(is(IDENTIFIER_CARD, "378282246310005", "x"));
    cr_assert(!is(IDENTIFIER_CARD, "4111 1111 1111 1112", "x"));
    cr_assert(is(IDENTIFIER_IBAN, "DE89 3704 0044 0532 0130 00", "x"));
    cr_assert(is(IDENTIFIER_IBAN, "GB82WEST12345698765432", "x"));
    cr_assert(!is(IDENTIFIER_IBAN, "DE88 3704 0044 0532 0130 00", "x"));
}

Test(identifier, knows_national_numbers_and_their_letters)
{
    cr_assert(is(IDENTIFIER_NATIONAL, "078-05-1120", "x"));
    cr_assert(!is(IDENTIFIER_NATIONAL, "666-05-1120", "x"));
    cr_assert(!is(IDENTIFIER_NATIONAL, "078-00-1120", "x"));
    cr_assert(is(IDENTIFIER_NATIONAL, "AB123456C", "x") &&
              !is(IDENTIFIER_NATIONAL, "QQ123456C", "x"));
    cr_assert(is(IDENTIFIER_NATIONAL, "12345678Z", "x") &&
              !is(IDENTIFIER_NATIONAL, "12345678A", "x"));
    cr_assert(is(IDENTIFIER_NATIONAL, "X1234567L", "x") &&
              !is(IDENTIFIER_NATIONAL, "X1234567M", "x"));
    cr_assert(is(IDENTIFIER_NATIONAL, "255081416802538", "x"));
    cr_assert(!is(IDENTIFIER_NATIONAL, "255081416802539", "x"));
    cr_assert(is(IDENTIFIER_NATIONAL, "RSSMRA85T10A562S", "x"));
}

Test(identifier, reads_dates_and_postcodes_by_their_columns)
{
    cr_assert(is(IDENTIFIER_BIRTH, "1961-03-04", "date_of_birth"));
    cr_assert(is(IDENTIFIER_BIRTH, "04.03.1961", "Geburtstag"));
    cr_assert(!is(IDENTIFIER_BIRTH, "1961-03-04", "admitted"));
    cr_assert(is(IDENTIFIER_POSTCODE, "SW1A 1AA", "x") && is(IDENTIFIER_POSTCODE, "K1A 0B1", "x"));
    cr_assert(is(IDENTIFIER_POSTCODE, "10115", "PLZ") &&
              !is(IDENTIFIER_POSTCODE, "10115", "amount"));
    cr_assert(!is(IDENTIFIER_POSTCODE, "abcd", "zip"));
}

Test(identifier, finds_names_of_people)
{
    cr_assert(is(IDENTIFIER_NAME, "Maria Keller", "x") &&
              is(IDENTIFIER_NAME, "Keller, Maria", "x"));
    cr_assert(is(IDENTIFIER_NAME, "Ottoline Trumbull", "full_name"));
    cr_assert(is(IDENTIFIER_NAME, "Maria", "first name") && !is(IDENTIFIER_NAME, "Maria", "ship"));
    cr_assert(!is(IDENTIFIER_NAME, "New York", "city") &&
              !is(IDENTIFIER_NAME, "maria keller", "x"));
}

Test(identifier, leaves_ordinary_values_alone)
{
    static const char *const ordinary[] = {"",     "0",   "42",         "-3.5",      "1e6",
                                           "male", "yes", "2024-02-29", "12345",     "0.0001",
                                           "A+",   "ICD", "C34.1",      "1.2.2024x", "10:30"};
    char lengthy[IDENTIFIER_BYTES_MAX + 2];

    for (size_t i = 0; i < sizeof ordinary / sizeof ordinary[0]; i++)
        none(ordinary[i]);
    memset(lengthy, '4', sizeof lengthy);
    cr_assert_eq(identifier_kinds(lengthy, sizeof lengthy, "x"), 0);
    for (int i = 0; i < IDENTIFIER_COUNT; i++)
        cr_assert(strlen(identifier_text((enum identifier)i)) > 1);
}
