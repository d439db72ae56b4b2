/* Time. */
#ifndef AWSYNC_BASE_CLOCK_H
#define AWSYNC_BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of a clock that never goes back; its start has no meaning. */
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);
/* Milliseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_ms(void);

enum { CLOCK_AMZ_SIZE = 17, CLOCK_ISO_SIZE = 25 };
/* `YYYYMMDDTHHMMSSZ`, as X-Amz-Date has it. out: CLOCK_AMZ_SIZE bytes. Both are cut to the years
** 0000..9999. */
void clock_amz_date(int64_t wall_ms, char *out);
/* `YYYY-MM-DDTHH:MM:SS.mmmZ`. out: CLOCK_ISO_SIZE bytes. */
void clock_iso_date(int64_t wall_ms, char *out);
/* The three below are independent of locale and time zone and refuse days that are none, as 29
** February 2100, and times before 1970: a negative result is always an error. Fractions are cut to
** milliseconds.
**
** Reads `YYYYMMDDTHHMMSSZ`; -1 when it is none. Milliseconds since 1970. */
int64_t clock_parse_amz(const char *text);
/* Reads an RFC 3339 time (`2026-01-02T03:04:05Z`, fractions and offsets allowed); -1 when it is
** none. */
int64_t clock_parse_iso(const char *text);
/* Reads an HTTP Date header (`Fri, 02 Jan 2026 03:04:05 GMT`); -1 when it is none. */
int64_t clock_parse_http(const char *text);

#endif
