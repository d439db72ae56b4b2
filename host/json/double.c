/* Doubles as the shortest decimal text that reads back as the same double. */
#include "host/json/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/json/number.h"

/* digits * 10^exponent */
struct decimal {
    uint64_t digits;
    int exponent;
};

enum {
    FRACTION_BITS = 52,
    LEAST_BINARY = -1074, /* of the last bit of a double */
    /* Fifteen digits name no two doubles at once, seventeen always tell two apart. */
    SURE_DIGITS = 15,
    MOST_DIGITS = 17,
    /* First digit's place from which on, and up to which, no exponent is written. */
    LEAST_PLAIN = -5,
    MOST_PLAIN = 16,
};

#define FIRST_WITH_17_DIGITS UINT64_C(10000000000000000)

/* A finite double above zero is bits * 2^exponent. */
struct binary {
    uint64_t bits;
    int exponent;
};

static struct binary take_apart(double value) {
    uint64_t word;
    memcpy(&word, &value, sizeof word);
    uint64_t fraction = word & ((UINT64_C(1) << FRACTION_BITS) - 1);
    int exponent = (int)(word >> FRACTION_BITS & 0x7ff);
    if (exponent == 0)
        return (struct binary){fraction, LEAST_BINARY};
    return (struct binary){fraction | UINT64_C(1) << FRACTION_BITS, exponent - 1 + LEAST_BINARY};
}

static bool reads_back(struct decimal d, double value) {
    return json_decimal_to_double(d.digits, d.exponent) == value;
}

/* --- few decimals, as people write them ----------------------------------------------------- */

static bool few_decimals(double value, struct decimal *out) {
    static const double powers[] = {1.0, 10.0, 100.0, 1000.0, 10000.0};
    for (int places = 0; places <= 4; places++) {
        double scaled = value * powers[places];
        if (!(scaled < 0x1p53))
            return false;
        double whole = (double)(int64_t)(scaled + 0.5);
        /* Both operands are exact: this is what a reader computes. */
        if (whole / powers[places] == value && whole > 0) {
            *out = (struct decimal){(uint64_t)whole, -places};
            return true;
        }
    }
    return false;
}

/* --- exact scaling in 128 bits -------------------------------------------------------------- */

static uint64_t round_half_even(json_u128 quotient, json_u128 rest, json_u128 divisor) {
    json_u128 twice = rest * 2;
    if (twice > divisor || (twice == divisor && (quotient & 1)))
        quotient++;
    return (uint64_t)quotient;
}

/* b * 10^places, rounded, for results below 2^63. False when 128 bits do not hold what comes in
** between. */
static bool scale(struct binary b, int places, uint64_t *out) {
    json_u128 value = b.bits;
    if (places >= 0) {
        if (places > JSON_POWER_MAX)
            return false;
        value *= json_powers_of_5[places];
        int shift = b.exponent + places;
        if (shift >= 0) {
            *out = (uint64_t)(value << shift);
            return true;
        }
        if (shift < -126)
            return false;
        json_u128 divisor = (json_u128)1 << -shift;
        *out = round_half_even(value >> -shift, value & (divisor - 1), divisor);
        return true;
    }
    if (places < -JSON_POWER_MAX || b.exponent < 0 || b.exponent > 127 - 53)
        return false;
    /* The divisor is below 2^90: its half and twice the rest fit. */
    value <<= b.exponent;
    json_u128 divisor = (json_u128)json_powers_of_5[-places] << -places;
    *out = round_half_even(value / divisor, value % divisor, divisor);
    return true;
}

/* The decimal of count digits that is nearest to value; first: place of its first digit, 0 for
** units. */
static bool nearest_fast(struct binary b, int first, int count, struct decimal *out) {
    out->exponent = first - (count - 1);
    return scale(b, -out->exponent, &out->digits);
}

/* The place of the first digit of b, a normal double, and its seventeen digits. */
static bool seventeen_fast(struct binary b, int *first, struct decimal *out) {
    int top = b.exponent + FRACTION_BITS;
    /* floor(top * log10(2)), the factor times 2^22: the place or one too little. */
    int place = (top * 1262611 - (top < 0 ? (1 << 22) - 1 : 0)) / (1 << 22);
    if (!nearest_fast(b, place, MOST_DIGITS, out))
        return false;
    if (out->digits >= FIRST_WITH_17_DIGITS * 10) {
        place++;
        if (!nearest_fast(b, place, MOST_DIGITS, out))
            return false;
    }
    *first = place;
    return true;
}

/* --- any double, by the library ------------------------------------------------------------- */

static struct decimal nearest_slow(double value, int count) {
    char text[48];
    snprintf(text, sizeof text, "%.*e", count - 1, value);
    struct decimal d = {0};
    const char *at = text;
    /* Whatever stands between the digits is the locale's point. */
    for (; *at != 'e'; at++) {
        if (*at >= '0' && *at <= '9')
            d.digits = d.digits * 10 + (uint64_t)(*at - '0');
    }
    d.exponent = (int)strtol(at + 1, NULL, 10) - (count - 1);
    return d;
}

/* Below a power of two the doubles lie twice as dense as above it: then the nearest decimal may
** miss on its lower side while the next one above does not. */
static bool accept(struct decimal *d, struct binary b, double value) {
    if (reads_back(*d, value))
        return true;
    if (b.bits != UINT64_C(1) << FRACTION_BITS)
        return false;
    struct decimal above = {d->digits + 1, d->exponent};
    if (!reads_back(above, value))
        return false;
    *d = above;
    return true;
}

static struct decimal shortest(double value) {
    struct binary b = take_apart(value);
    bool normal = b.bits >> FRACTION_BITS;
    struct decimal d, best;
    int first;
    if (few_decimals(value, &d))
        return d;
    if (normal && seventeen_fast(b, &first, &best)) {
        for (int count = SURE_DIGITS; count < MOST_DIGITS; count++) {
            if (nearest_fast(b, first, count, &d) && accept(&d, b, value))
                return d;
        }
        return best;
    }
    /* Denormal doubles have fewer digits the smaller they are. */
    for (int count = normal ? SURE_DIGITS : 1; count < MOST_DIGITS; count++) {
        d = nearest_slow(value, count);
        if (accept(&d, b, value))
            return d;
    }
    return nearest_slow(value, MOST_DIGITS);
}

/* --- text ----------------------------------------------------------------------------------- */

static char *put_zeros(char *to, int count) {
    for (; count > 0; count--)
        *to++ = '0';
    return to;
}

static char *put_digits(char *to, const char *digits, size_t len) {
    memcpy(to, digits, len);
    return to + len;
}

static char *put_decimal(char *to, struct decimal d) {
    char digits[JSON_DIGITS_SIZE];
    int len = (int)json_digits(d.digits, digits);
    int first = d.exponent + len - 1;
    while (len > 1 && digits[len - 1] == '0')
        len--;
    if (first < LEAST_PLAIN || first > MOST_PLAIN) {
        *to++ = digits[0];
        if (len > 1) {
            *to++ = '.';
            to = put_digits(to, digits + 1, (size_t)len - 1);
        }
        *to++ = 'e';
        *to++ = first < 0 ? '-' : '+';
        return to + json_digits((uint64_t)abs(first), to);
    }
    if (first < 0) {
        *to++ = '0';
        *to++ = '.';
        to = put_zeros(to, -first - 1);
        return put_digits(to, digits, (size_t)len);
    }
    int whole = first + 1;
    if (len <= whole) {
        to = put_digits(to, digits, (size_t)len);
        to = put_zeros(to, whole - len);
        *to++ = '.';
        *to++ = '0';
        return to;
    }
    to = put_digits(to, digits, (size_t)whole);
    *to++ = '.';
    return put_digits(to, digits + whole, (size_t)(len - whole));
}

size_t json_double_text(double value, char *out) {
    char *to = out;
    if (signbit(value)) {
        *to++ = '-';
        value = -value;
    }
    if (value == 0)
        to = put_digits(to, "0.0", 3);
    else
        to = put_decimal(to, shortest(value));
    *to = '\0';
    return (size_t)(to - out);
}
