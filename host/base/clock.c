#include "host/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)

static int64_t clock_us(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_mono_ms(void) {
    return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void) {
    return clock_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void) {
    return clock_us(CLOCK_REALTIME) / 1000;
}

/* --- calendar ------------------------------------------------------------------------------- */

struct civil {
    int year, month, day, hour, minute, second, ms;
};

static bool leap_year(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month) {
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap_year(year) ? 29 : days[month - 1];
}

/* Days from 0000-01-01 to the first of January of year (0..10000). */
static int64_t days_before_year(int year) {
    int64_t y = year;
    return y == 0 ? 0 : y * 365 + (y - 1) / 4 - (y - 1) / 100 + (y - 1) / 400 + 1;
}

#define EPOCH_DAYS INT64_C(719528) /* 0000-01-01 to 1970-01-01 */

static int64_t to_ms(const struct civil *c) {
    int64_t days = days_before_year(c->year) - EPOCH_DAYS + c->day - 1;
    for (int month = 1; month < c->month; month++)
        days += month_days(c->year, month);
    return days * DAY_MS + ((c->hour * 60 + c->minute) * 60 + c->second) * INT64_C(1000) + c->ms;
}

static struct civil from_ms(int64_t wall_ms) {
    const int64_t least = -EPOCH_DAYS * DAY_MS;
    const int64_t most = (days_before_year(10000) - EPOCH_DAYS) * DAY_MS - 1;
    wall_ms = wall_ms < least ? least : wall_ms > most ? most : wall_ms;
    int64_t days = (wall_ms - least) / DAY_MS;
    int in_day = (int)((wall_ms - least) % DAY_MS);
    struct civil c = {.year = (int)(days * 400 / 146097), .month = 1};
    /* The estimate is off by one year at most: 400 years have 146097 days. */
    while (days_before_year(c.year) > days)
        c.year--;
    while (days_before_year(c.year + 1) <= days)
        c.year++;
    int day = (int)(days - days_before_year(c.year));
    while (day >= month_days(c.year, c.month))
        day -= month_days(c.year, c.month++);
    c.day = day + 1;
    c.hour = in_day / 3600000;
    c.minute = in_day / 60000 % 60;
    c.second = in_day / 1000 % 60;
    c.ms = in_day % 1000;
    return c;
}

/* --- writing -------------------------------------------------------------------------------- */

static char *put_digits(char *out, int value, int width) {
    for (int i = width - 1; i >= 0; i--) {
        out[i] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + width;
}

/* A number of that width and two of two digits, with a character between them, none for 0. */
static char *put_three(char *out, int first, int width, int second, int third, char between) {
    out = put_digits(out, first, width);
    if (between != 0)
        *out++ = between;
    out = put_digits(out, second, 2);
    if (between != 0)
        *out++ = between;
    return put_digits(out, third, 2);
}

void clock_amz_date(int64_t wall_ms, char *out) {
    struct civil c = from_ms(wall_ms);
    out = put_three(out, c.year, 4, c.month, c.day, 0);
    *out++ = 'T';
    out = put_three(out, c.hour, 2, c.minute, c.second, 0);
    *out++ = 'Z';
    *out = '\0';
}

void clock_iso_date(int64_t wall_ms, char *out) {
    struct civil c = from_ms(wall_ms);
    out = put_three(out, c.year, 4, c.month, c.day, '-');
    *out++ = 'T';
    out = put_three(out, c.hour, 2, c.minute, c.second, ':');
    *out++ = '.';
    out = put_digits(out, c.ms, 3);
    *out++ = 'Z';
    *out = '\0';
}

/* --- reading -------------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Each get_ function advances *at behind what it has read and stops at the NUL. */
static bool get_digits(const char **at, int width, int *out) {
    int value = 0;
    for (int i = 0; i < width; i++, (*at)++) {
        if (!is_digit(**at))
            return false;
        value = value * 10 + (**at - '0');
    }
    *out = value;
    return true;
}

static bool get_char(const char **at, char c) {
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

/* One of the count names of three letters that names holds; *out is its number. */
static bool get_name(const char **at, const char *names, int count, int *out) {
    for (int i = 0; i < count; i++) {
        if (strncmp(*at, names + (ptrdiff_t)i * 3, 3) == 0) {
            *at += 3;
            *out = i;
            return true;
        }
    }
    return false;
}

static bool get_clock(const char **at, struct civil *c) {
    return get_digits(at, 2, &c->hour) && get_char(at, ':') && get_digits(at, 2, &c->minute) &&
           get_char(at, ':') && get_digits(at, 2, &c->second);
}

/* Seconds may be 60: leap seconds are in both RFCs. They count as the next minute's first. */
static int64_t checked_ms(const struct civil *c, int minutes_east) {
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > month_days(c->year, c->month))
        return -1;
    if (c->hour > 23 || c->minute > 59 || c->second > 60)
        return -1;
    int64_t ms = to_ms(c) - minutes_east * INT64_C(60000);
    return ms < 0 ? -1 : ms;
}

int64_t clock_parse_amz(const char *text) {
    struct civil c = {0};
    const char *at = text;
    if (!(get_digits(&at, 4, &c.year) && get_digits(&at, 2, &c.month) &&
          get_digits(&at, 2, &c.day) && get_char(&at, 'T') && get_digits(&at, 2, &c.hour) &&
          get_digits(&at, 2, &c.minute) && get_digits(&at, 2, &c.second) && get_char(&at, 'Z') &&
          *at == '\0'))
        return -1;
    return checked_ms(&c, 0);
}

/* `Z` or `+hh:mm`, and the end of the text. */
static bool get_offset(const char **at, int *minutes_east) {
    *minutes_east = 0;
    if (get_char(at, 'Z') || get_char(at, 'z'))
        return **at == '\0';
    int sign = **at == '-' ? -1 : 1;
    int hours, minutes;
    if (!get_char(at, '+') && !get_char(at, '-'))
        return false;
    if (!get_digits(at, 2, &hours) || !get_char(at, ':') || !get_digits(at, 2, &minutes) ||
        **at != '\0')
        return false;
    *minutes_east = sign * (hours * 60 + minutes);
    return hours <= 23 && minutes <= 59;
}

int64_t clock_parse_iso(const char *text) {
    struct civil c = {0};
    const char *at = text;
    int minutes_east;
    if (!(get_digits(&at, 4, &c.year) && get_char(&at, '-') && get_digits(&at, 2, &c.month) &&
          get_char(&at, '-') && get_digits(&at, 2, &c.day)))
        return -1;
    if (!get_char(&at, 'T') && !get_char(&at, 't') && !get_char(&at, ' '))
        return -1;
    if (!get_clock(&at, &c))
        return -1;
    if (get_char(&at, '.')) {
        if (!is_digit(*at))
            return -1;
        for (int scale = 100; is_digit(*at); scale /= 10)
            c.ms += (*at++ - '0') * scale;
    }
    if (!get_offset(&at, &minutes_east))
        return -1;
    return checked_ms(&c, minutes_east);
}

int64_t clock_parse_http(const char *text) {
    struct civil c = {0};
    const char *at = text;
    int weekday;
    if (!(get_name(&at, "SunMonTueWedThuFriSat", 7, &weekday) && get_char(&at, ',') &&
          get_char(&at, ' ') && get_digits(&at, 2, &c.day) && get_char(&at, ' ') &&
          get_name(&at, "JanFebMarAprMayJunJulAugSepOctNovDec", 12, &c.month) &&
          get_char(&at, ' ') && get_digits(&at, 4, &c.year) && get_char(&at, ' ') &&
          get_clock(&at, &c) && strcmp(at, " GMT") == 0))
        return -1;
    c.month++;
    return checked_ms(&c, 0);
}
