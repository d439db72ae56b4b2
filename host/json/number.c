#include "host/json/number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* Digits that 64 bits always hold. */
    WORD_DIGITS = 19,
    /* No double and no middle between two doubles has more significant digits than 768, so that of
    ** the rest only matters whether it is zero. */
    KEPT_DIGITS = 770,
    /* Decimal exponents, those of 0.d1d2d3…, beyond which every number is zero or too large. */
    LEAST_EXPONENT = -330,
    MOST_EXPONENT = 310,
};

const uint64_t json_powers_of_5[JSON_POWER_MAX + 1] = {
    UINT64_C(1),
    UINT64_C(5),
    UINT64_C(25),
    UINT64_C(125),
    UINT64_C(625),
    UINT64_C(3125),
    UINT64_C(15625),
    UINT64_C(78125),
    UINT64_C(390625),
    UINT64_C(1953125),
    UINT64_C(9765625),
    UINT64_C(48828125),
    UINT64_C(244140625),
    UINT64_C(1220703125),
    UINT64_C(6103515625),
    UINT64_C(30517578125),
    UINT64_C(152587890625),
    UINT64_C(762939453125),
    UINT64_C(3814697265625),
    UINT64_C(19073486328125),
    UINT64_C(95367431640625),
    UINT64_C(476837158203125),
    UINT64_C(2384185791015625),
    UINT64_C(11920928955078125),
    UINT64_C(59604644775390625),
    UINT64_C(298023223876953125),
    UINT64_C(1490116119384765625),
    UINT64_C(7450580596923828125),
};

/* 2^exponent, for exponents of normal doubles. */
static double power_of_2(int exponent) {
    uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The two ways that need no library; false when neither fits. Both round once. */
static bool exact_double(uint64_t digits, int exponent, double *out) {
    static const double powers_of_10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                          1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                          1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    /* Both operands are exact, and IEEE 754 rounds one operation correctly (Clinger). */
    if (FLT_EVAL_METHOD == 0 && digits <= UINT64_C(1) << 53 && exponent >= -22 && exponent <= 22) {
        *out = exponent < 0 ? (double)digits / powers_of_10[-exponent]
                            : (double)digits * powers_of_10[exponent];
        return true;
    }
    if (digits == 0) {
        *out = 0.0;
        return true;
    }
    if (exponent >= 0 && exponent <= JSON_POWER_MAX) {
        *out = (double)((json_u128)digits * json_powers_of_5[exponent]) * power_of_2(exponent);
        return true;
    }
    if (exponent < 0 && exponent >= -JSON_POWER_MAX) {
        int shift = __builtin_clzll(digits);
        json_u128 dividend = (json_u128)(digits << shift) << 64;
        uint64_t divisor = json_powers_of_5[-exponent];
        json_u128 quotient = dividend / divisor;
        /* The quotient has more than 63 bits: the last one can stand for all that was cut off. */
        if (quotient * divisor != dividend)
            quotient |= 1;
        *out = (double)quotient * power_of_2(exponent - 64 - shift);
        return true;
    }
    return false;
}

size_t json_digits(uint64_t value, char *out) {
    char reversed[JSON_DIGITS_SIZE];
    size_t len = 0;
    do {
        reversed[len++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < len; i++)
        out[i] = reversed[len - 1 - i];
    return len;
}

/* digits: without a point, so that no locale has a say in what strtod reads. text has room for 32
** bytes more. */
static double library_double(char *text, size_t len, int64_t exponent) {
    text[len++] = 'e';
    if (exponent < 0)
        text[len++] = '-';
    len += json_digits((uint64_t)(exponent < 0 ? -exponent : exponent), text + len);
    text[len] = '\0';
    return strtod(text, NULL);
}

double json_decimal_to_double(uint64_t digits, int exponent) {
    double value;
    char text[JSON_DIGITS_SIZE + 32];
    if (exact_double(digits, exponent, &value))
        return value;
    return library_double(text, json_digits(digits, text), exponent);
}

/* --- reading -------------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Any number of digits: at most KEPT_DIGITS go to the library, a last 1 stands for the others.
** exponent is that of the last digit. */
static double long_double(const char *at, const char *end, int64_t exponent) {
    char text[KEPT_DIGITS + 1 + 32];
    size_t len = 0;
    int64_t left_out = 0;
    bool more = false;
    for (; at < end; at++) {
        if (*at == '.' || (len == 0 && *at == '0'))
            continue;
        if (len < KEPT_DIGITS) {
            text[len++] = *at;
        } else {
            left_out++;
            more = more || *at != '0';
        }
    }
    if (len == 0)
        return 0.0;
    exponent += left_out;
    if (more) {
        text[len++] = '1';
        exponent--;
    }
    if (exponent + (int64_t)len < LEAST_EXPONENT)
        return 0.0;
    if (exponent + (int64_t)len > MOST_EXPONENT)
        return HUGE_VAL;
    return library_double(text, len, exponent);
}

static size_t leading_zeros(const char *at, const char *end) {
    size_t count = 0;
    for (; at < end && (*at == '0' || *at == '.'); at++)
        count += *at == '0';
    return count;
}

/* Reads `e`, a sign, digits; huge exponents are cut to one that is huge enough. NULL when there is
** no digit. */
static const char *read_exponent(const char *at, const char *end, int64_t *exponent) {
    const int64_t huge = INT64_C(1) << 53;
    bool negative = false;
    at++;
    if (at < end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    if (at == end || !is_digit(*at))
        return NULL;
    int64_t value = 0;
    for (; at < end && is_digit(*at); at++)
        value = value < huge / 10 ? value * 10 + (*at - '0') : huge;
    *exponent = negative ? -value : value;
    return at;
}

const char *json_number_read(const char *at, const char *end, struct json_number *out,
                             const char **error, const char **error_at) {
    bool negative = *at == '-';
    if (negative)
        at++;
    const char *digits = at;
    uint64_t value = 0; /* wraps when there are more than WORD_DIGITS; it is not used then */
    for (; at < end && is_digit(*at); at++)
        value = value * 10 + (uint64_t)(*at - '0');
    size_t count = (size_t)(at - digits);
    if (count == 0)
        goto no_digit;
    if (*digits == '0' && count > 1) {
        *error = "number with a leading zero";
        *error_at = digits;
        return NULL;
    }
    bool integral = at == end || (*at != '.' && *at != 'e' && *at != 'E');
    if (integral && count <= WORD_DIGITS) {
        uint64_t most = (uint64_t)INT64_MAX + negative;
        if (value <= most && !(negative && value == 0)) {
            out->is_integer = true;
            out->integer = negative ? (int64_t)(0 - value) : (int64_t)value;
            return at;
        }
    }

    int64_t fraction = 0;
    if (at < end && *at == '.') {
        const char *point = at++;
        for (; at < end && is_digit(*at); at++)
            value = value * 10 + (uint64_t)(*at - '0');
        fraction = at - point - 1;
        if (fraction == 0)
            goto no_digit;
    }
    const char *digits_end = at;
    int64_t exponent = 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(at, end, &exponent);
        if (!at) {
            at = digits_end;
            goto no_digit;
        }
    }
    exponent -= fraction;
    count += (size_t)fraction;
    double number;
    if (count > WORD_DIGITS)
        count -= leading_zeros(digits, digits_end);
    if (count > WORD_DIGITS || exponent < -JSON_POWER_MAX || exponent > JSON_POWER_MAX ||
        !exact_double(value, (int)exponent, &number))
        number = long_double(digits, digits_end, exponent);
    if (isinf(number)) {
        *error = "number too large for a double";
        *error_at = negative ? digits - 1 : digits;
        return NULL;
    }
    out->is_integer = false;
    out->number = negative ? -number : number;
    return at;

no_digit:
    *error = "number without a digit where one must be";
    *error_at = at;
    return NULL;
}
