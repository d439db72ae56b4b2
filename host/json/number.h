/* Private to the JSON room: numbers between text and machine form. */
#ifndef AWSYNC_JSON_NUMBER_H
#define AWSYNC_JSON_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_number {
    bool is_integer;
    int64_t integer;
    double number;
};

/* Reads the number that starts at `at` (a digit or a minus). Returns the place behind it, or NULL
** with *error (static text) and *error_at. */
const char *json_number_read(const char *at, const char *end, struct json_number *out,
                             const char **error, const char **error_at);

/* digits * 10^exponent, rounded once to the nearest double, ties to even; infinity when no double
** is that large. */
double json_decimal_to_double(uint64_t digits, int exponent);

enum { JSON_DIGITS_SIZE = 20, JSON_POWER_MAX = 27 };
/* The decimal digits of value, without a NUL; returns how many. out: JSON_DIGITS_SIZE bytes. */
size_t json_digits(uint64_t value, char *out);

/* 5^0 .. 5^27: all that fit 64 bits. 10^k is 5^k with k added to the binary exponent. */
extern const uint64_t json_powers_of_5[JSON_POWER_MAX + 1];

__extension__ typedef unsigned __int128 json_u128;

#endif
