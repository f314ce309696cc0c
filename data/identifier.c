/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of identifiers. Each test takes the whole value. */
#include "data/identifier.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "data/date.h"

#define DIGITS_MAX 32

const char *identifier_text(enum identifier identifier)
{
    static const char *const texts[] = {
#define X(name, text) text,
        IDENTIFIERS(X)
#undef X
    };

    return texts[identifier];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Matches a pattern of 9 (digit), A (capital), * (capital or digit), ? (9 or nothing) and
 * characters that stand for themselves. */
static bool fits(const char *text, const char *pattern)
{
    for (; *pattern; pattern++) {
        bool capital = *text >= 'A' && *text <= 'Z';

        if (*pattern == '?') {
            text += is_digit(*text);
            continue;
        }
        if (*pattern == '9'   ? !is_digit(*text)
            : *pattern == 'A' ? !capital
            : *pattern == '*' ? !capital && !is_digit(*text)
                              : *text != *pattern)
            return false;
        text++;
    }
    return *text == '\0';
}

/* The digits of a text that has nothing else but the characters of others; 0 when it has. */
static size_t only_digits(char out[DIGITS_MAX], const char *text, const char *others)
{
    size_t count = 0;

    for (; *text; text++) {
        if (is_digit(*text) && count + 1 < DIGITS_MAX)
            out[count++] = *text;
        else if (!strchr(others, *text))
            return 0;
    }
    out[count] = '\0';
    return count;
}

static bool says(const char *column, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(column, words[i]))
            return true;
    return false;
}

#define SAYS(column, ...)                                                                          \
    says(column, (const char *const[]){__VA_ARGS__}, CN_COUNT(((const char *const[]){__VA_ARGS__})))

static bool is_mail(const char *text, const char *column)
{
    const char *at = strchr(text, '@');
    const char *dot = at ? strrchr(at, '.') : NULL;

    (void)column;
    if (!at || at == text || strchr(at + 1, '@') || !dot || dot == at + 1 || strlen(dot) < 3)
        return false;
    for (const char *c = text; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("@._%+-'", *c) && (unsigned char)*c < 0x80)
            return false;
    return true;
}

static bool is_phone(const char *text, const char *column)
{
    char digits[DIGITS_MAX];
    size_t plus = text[0] == '+';
    size_t count = only_digits(digits, text + plus, " -/.()");
    bool grouped = strpbrk(text, " -/()") != NULL && !date_parse(NULL, text, strlen(text));

    if (count < 7 || count > 15 || (strchr(text, '.') && !plus))
        return false;
    return plus || (digits[0] == '0' && digits[1] == '0') || (digits[0] == '0' && grouped) ||
           (grouped && strchr(text, '(')) ||
           SAYS(column, "phone", "telef", "mobile", "handy", "fax", "tel_", "portable");
}

static bool is_card(const char *text, const char *column)
{
    char digits[DIGITS_MAX];
    size_t count = only_digits(digits, text, " -");
    unsigned sum = 0;

    (void)column;
    if (count < 13 || count > 19 || digits[0] == '0')
        return false;
    for (size_t i = 0; i < count; i++) {
        unsigned digit = (unsigned)(digits[count - 1 - i] - '0') << (i % 2);

        sum += digit > 9 ? digit - 9 : digit;
    }
    return sum % 10 == 0;
}

static bool is_iban(const char *text, const char *column)
{
    char packed[40];
    size_t len = 0;
    unsigned rest = 0;

    (void)column;
    for (; *text; text++) {
        if (*text == ' ')
            continue;
        if (!(is_digit(*text) || is_letter(*text)) || len + 1 >= sizeof packed)
            return false;
        packed[len++] = (char)toupper((unsigned char)*text);
    }
    if (len < 15 || len > 34 || !is_letter(packed[0]) || !is_letter(packed[1]) ||
        !is_digit(packed[2]) || !is_digit(packed[3]))
        return false;
    for (size_t i = 0; i < len; i++) { /* the first four behind the others */
        char c = packed[(i + 4) % len];

        rest =
            is_digit(c) ? rest * 10 + (unsigned)(c - '0') : rest * 100 + (unsigned)(c - 'A' + 10);
        rest %= 97;
    }
    return rest == 1;
}

static bool is_birth(const char *text, const char *column)
{
    struct date date;

    return SAYS(column, "birth", "dob", "geb", "naiss", "nacim", "nascita", "born") &&
           date_parse(&date, text, strlen(text)) && date.year >= 1900 && date.year < 2100;
}

static bool is_postcode(const char *text, const char *column)
{
    static const char *const forms[] = {"A9? 9AA", "AA9? 9AA", "A9A 9AA", "AA9A 9AA", "A9A 9A9"};
    size_t len = strlen(text), digits = 0;

    for (size_t i = 0; i < CN_COUNT(forms); i++)
        if (fits(text, forms[i]))
            return true;
    if (!SAYS(column, "zip", "post", "plz", "cap_", "codigo_p", "cep") || len < 4 || len > 10)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]) && !is_letter(text[i]) && text[i] != ' ' && text[i] != '-')
            return false;
        digits += is_digit(text[i]);
    }
    return digits >= 3;
}

static bool is_ip(const char *text, const char *column)
{
    struct in6_addr address;

    (void)column;
    return inet_pton(AF_INET, text, &address) == 1 ||
           (strchr(text, ':') && strlen(text) > 3 && inet_pton(AF_INET6, text, &address) == 1);
}

/* Number modulo a small one, digit by digit. */
static unsigned remainder_of(const char *digits, size_t count, unsigned by)
{
    unsigned rest = 0;

    for (size_t i = 0; i < count; i++)
        rest = (rest * 10 + (unsigned)(digits[i] - '0')) % by;
    return rest;
}

static bool is_spanish(const char *text)
{
    static const char letters[] = "TRWAGMYFPDXBNJZSQVHLCKE";
    char number[9];

    if (!fits(text, "99999999A") && !fits(text, "A9999999A"))
        return false;
    memcpy(number, text, 8);
    if (is_letter(text[0])) { /* NIE: X, Y, Z stand for 0, 1, 2 */
        if (text[0] < 'X')
            return false;
        number[0] = (char)('0' + (text[0] - 'X'));
    }
    return letters[remainder_of(number, 8, 23)] == text[8];
}

static bool is_french(const char *text)
{
    char digits[DIGITS_MAX];
    size_t count = only_digits(digits, text, " ");

    return count == 15 && (digits[0] == '1' || digits[0] == '2') &&
           97 - remainder_of(digits, 13, 97) == remainder_of(digits + 13, 2, 100);
}

static bool is_national(const char *text, const char *column)
{
    (void)column;
    if (fits(text, "999-99-9999"))
        return strncmp(text, "000", 3) != 0 && strncmp(text, "666", 3) != 0 && text[0] != '9' &&
               strncmp(text + 4, "00", 2) != 0 && strncmp(text + 7, "0000", 4) != 0;
    if (fits(text, "AA999999A") || fits(text, "AA 99 99 99 A"))
        return !strchr("DFIQUV", text[0]) && !strchr("DFIOQUV", text[1]) &&
               strchr("ABCD", text[strlen(text) - 1]);
    return is_spanish(text) || is_french(text) || fits(text, "AAAAAA99A99A999A");
}

/* Frequent given names of several languages; a column of names is found by a few hits. */
static bool is_given_name(const char *word, size_t len)
{
    static const char names[] =
        " aisha alexander ali alice amina amy ana andrea andrew anna anne antonio barbara ben "
        "carla carlos carmen charles charlotte chen christian christine claire daniel david diana "
        "elena elizabeth emily emma eva fatima felix francisco george giulia grace hannah hans "
        "helen "
        "henry ibrahim ingrid isabella jack jacques james jan jane jean jennifer jessica joao john "
        "jose joseph juan julia karl karen kevin laura lea leon linda lisa louis lucas lucia luis "
        "maria marie mario mark marta martin mary matthew michael michelle mohamed mohammed "
        "muhammad "
        "nadia nicolas nina noah olga oliver olivia omar pablo patricia paul pedro peter philip "
        "pierre rachel richard robert rosa ruth sara sarah sofia sophie stefan stephen susan "
        "svetlana "
        "thomas tim tom ursula victor wei william wolfgang yusuf zoe ";
    char key[24];

    if (len < 2 || len + 3 > sizeof key)
        return false;
    key[0] = ' ';
    for (size_t i = 0; i < len; i++)
        key[i + 1] = (char)tolower((unsigned char)word[i]);
    memcpy(key + len + 1, " ", 2);
    return strstr(names, key) != NULL;
}

static bool is_name(const char *text, const char *column)
{
    bool named = SAYS(column, "name", "nombre", "cognome", "patient", "surname", "vorname");
    unsigned words = 0, given = 0;

    while (*text) {
        size_t len = strcspn(text, " ,");
        bool capital = (*text >= 'A' && *text <= 'Z') || (unsigned char)*text >= 0xc3;

        if (len && !capital)
            return false;
        for (size_t i = 0; i < len; i++)
            if (is_digit(text[i]) || strchr("@/_:;()", text[i]))
                return false;
        words += len > 0;
        given += is_given_name(text, len);
        text += len + (text[len] != '\0');
    }
    return words <= 4 && ((given > 0 && words >= 2) || (named && words >= (given > 0 ? 1u : 2u)));
}

unsigned identifier_kinds(const char *text, size_t len, const char *column)
{
    static bool (*const tests[])(const char *, const char *) = {
        [IDENTIFIER_MAIL] = is_mail,   [IDENTIFIER_PHONE] = is_phone,
        [IDENTIFIER_CARD] = is_card,   [IDENTIFIER_IBAN] = is_iban,
        [IDENTIFIER_BIRTH] = is_birth, [IDENTIFIER_POSTCODE] = is_postcode,
        [IDENTIFIER_IP] = is_ip,       [IDENTIFIER_NATIONAL] = is_national,
        [IDENTIFIER_NAME] = is_name,
    };
    char whole[IDENTIFIER_BYTES_MAX + 1];
    unsigned kinds = 0;

    _Static_assert(CN_COUNT(tests) == IDENTIFIER_COUNT, "every kind has its test");
    if (len == 0 || len > IDENTIFIER_BYTES_MAX)
        return 0;
    memcpy(whole, text, len);
    whole[len] = '\0';
    for (unsigned i = 0; i < IDENTIFIER_COUNT; i++)
        if (tests[i](whole, column))
            kinds |= 1u << i;
    return kinds;
}
